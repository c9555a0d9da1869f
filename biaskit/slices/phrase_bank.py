"""Common visual words that a slice may be named by."""

from __future__ import annotations

_WORDS = """
black, white, grey, red, green, blue, yellow, orange, purple, pink, brown, gold, silver, beige, dark,
bright, colourful, pale, blurry, grainy, transparent, shiny, striped, spotted, checked, plain, wooden,
metal, plastic, glass, stone, brick, paper, fabric, leather, wet, dry, dusty, dirty, clean, old, new,
broken, rusty, empty, crowded, round, square, small, large, close up, far away, black and white, drawing,
painting, cartoon, sketch, sculpture, toy, text, watermark, logo, arrow, ruler, sticker, frame, border,
shadow, reflection, sunlight, night, sunset, fog, rain, snow, ice, fire, smoke, cloud, sky, sun, moon,
stars, water, sea, ocean, beach, sand, lake, river, waterfall, pool, island, mountain, hill, cliff, cave,
desert, forest, tree, leaf, branch, bamboo, bush, grass, field, meadow, garden, flower, park, farm, jungle,
swamp, rock, mud, ground, road, street, path, bridge, tunnel, railway, station, airport, harbour, city,
village, building, house, tower, temple, church, castle, wall, fence, gate, door, window, roof, stairs,
room, kitchen, bathroom, bedroom, living room, office, classroom, library, hospital, laboratory, factory,
shop, market, restaurant, bar, gym, stadium, stage, museum, floor, carpet, ceiling, curtain, table, desk,
chair, sofa, bed, shelf, cupboard, lamp, mirror, clock, picture on a wall, candle, plant in a pot, vase,
basket, box, bag, suitcase, bottle, cup, mug, plate, bowl, knife, fork, spoon, pan, food, fruit, apple,
banana, vegetable, bread, cake, meat, fish, egg, cheese, coffee, wine, beer, person, man, woman, child,
baby, boy, girl, old person, young person, crowd, couple, face, eye, hair, blond hair, dark hair, grey hair,
curly hair, bald head, beard, moustache, smile, lipstick, make up, glasses, sunglasses, hat, helmet, cap,
headscarf, scarf, mask, necklace, earring, tie, suit, dress, skirt, shirt, t-shirt, jacket, coat, jeans,
shoes, boots, gloves, uniform, swimsuit, hand, finger, arm, leg, foot, light skin, dark skin, tattoo, dog,
cat, horse, cow, sheep, goat, pig, rabbit, mouse, bird, chicken, duck, goose, eagle, owl, seagull, parrot,
butterfly, bee, spider, insect, snake, frog, turtle, crocodile, elephant, lion, tiger, bear, wolf, fox,
deer, monkey, camel, giraffe, zebra, whale, dolphin, shark, car, truck, bus, van, taxi, train, tram,
bicycle, motorcycle, boat, ship, sailing boat, aeroplane, helicopter, traffic light, road sign, wheel,
engine, computer, laptop, keyboard, screen, phone, television, camera, microphone, headphones, book,
newspaper, pen, scissors, hammer, screwdriver, saw, rope, chain, wire, needle, bandage, tube, pill, ball,
bat, racket, skateboard, surfboard, skis, guitar, piano, violin, drum, flag, umbrella, balloon, kite, doll,
teddy bear, puzzle, coin, money, key, tent, red square, blue square, green square, yellow square, noise,
pattern, grid, circle, triangle, cross, line
"""

PHRASES = tuple(dict.fromkeys(" ".join(word.split()) for word in _WORDS.split(",")))
"""Colours, looks, backgrounds, objects, people and animals, each once."""

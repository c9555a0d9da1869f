#!/bin/sh
# Makes docs/images/report.png, the upper half of a real report. Needs biaskit, Chromium and Pillow.
set -eu
images=$(cd "$(dirname "$0")" && pwd)/images
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
mkdir -p "$images"
biaskit audit --model demo --concepts food,service,price,ambience,music --offline --out-dir "$run/run" --quiet
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1024 \
  --screenshot="$run/report.png" "file://$run/run/report.html"
python - "$run/report.png" "$images/report.png" <<'PYTHON'
import sys
from PIL import Image
Image.open(sys.argv[1]).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(sys.argv[2], optimize=True)
PYTHON

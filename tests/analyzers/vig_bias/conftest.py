"""The shipped classifier with a planted patch, and some of its images."""

from dataclasses import replace

import pytest

from biaskit import models, organisms
from biaskit.images.selecting import limited
from biaskit.models.encoders import load_encoder
from biaskit.session import VisionSession


@pytest.fixture(scope="session")
def shapes():
    return models.load("organism:shapes")


@pytest.fixture(scope="session")
def shapes_images():
    return limited(organisms.images("shapes"), 150)


@pytest.fixture(scope="session")
def shapes_session(shapes, shapes_images):
    return VisionSession(model=shapes, images=(shapes_images,), encoder=load_encoder("organism:shapes"))


@pytest.fixture(scope="session")
def few_session(shapes_session, shapes_images):
    return replace(shapes_session, images=(limited(shapes_images, 40),))

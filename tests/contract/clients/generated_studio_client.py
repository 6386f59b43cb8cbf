"""The studio's complete workflow with the client that openapi-python-client generates.

The generated package ``client`` stands beside the working directory's other files; address,
credentials and picture come from the environment. What was approved goes to stdout as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from io import BytesIO
from pathlib import Path
from uuid import UUID

from client import AuthenticatedClient, Client
from client.api.brands import create_brand
from client.api.generations import generate_shot, get_generation
from client.api.login import login_access_token
from client.api.products import add_product_image, create_product
from client.api.shootings import create_shooting, create_shooting_look, get_shooting_progress
from client.api.shot_types import list_shot_types
from client.api.shots import approve_shot, get_shot
from client.api.styles import create_style
from client.api.subjects import create_subject
from client.models import (
    BodyAddProductImage,
    BodyLoginAccessToken,
    BrandCreate,
    Framing,
    GenerateRequest,
    GenerationReadStatus,
    LookOfShootingCreate,
    LookRead,
    ProductCreate,
    ProductImageType,
    ShootingCreate,
    ShotApprove,
    ShotRead,
    StyleCreate,
    SubjectCreate,
    View,
)
from client.types import File

URL = os.environ["BASE_URL"]


def log_in() -> AuthenticatedClient:
    form = BodyLoginAccessToken(os.environ["USERNAME"], os.environ["PASSWORD"])
    tokens = login_access_token.sync(client=Client(URL), body=form)
    return AuthenticatedClient(URL, tokens.access_token, raise_on_unexpected_status=True)


def make_look(client: AuthenticatedClient, picture: bytes) -> LookRead:
    brand = create_brand.sync(client=client, body=BrandCreate("Nord"))
    product = create_product.sync(client=client, body=ProductCreate("Dress", sku="DRS-9"))
    file = File(BytesIO(picture), "dress.jpg", "image/jpeg")
    form = BodyAddProductImage(file=file, type_=ProductImageType.PRIMARY)
    add_product_image.sync(product.id, client=client, body=form)
    subject = create_subject.sync(client=client, body=SubjectCreate("Ada"))
    style = create_style.sync(client=client, body=StyleCreate("Nordic", palette=["sand"]))
    shot_types = list_shot_types.sync(
        client=client, framing=[Framing.FULL_BODY], view=[View.FRONT, View.BACK]
    )
    shooting = create_shooting.sync(client=client, body=ShootingCreate("SS27", brand.id))
    body = LookOfShootingCreate(
        main_product_id=product.id,
        subject_id=subject.id,
        style_id=style.id,
        shot_type_ids=[one.id for one in shot_types.items],
    )
    return create_shooting_look.sync(shooting.id, client=client, body=body)


def shoot(client: AuthenticatedClient, shot_id: UUID) -> ShotRead:
    """Generate, wait, approve the first image."""
    generation = generate_shot.sync(shot_id, client=client, body=GenerateRequest(num_predictions=2))
    deadline = time.monotonic() + 60
    while generation.status is not GenerationReadStatus.COMPLETED:
        assert time.monotonic() < deadline, generation
        time.sleep(0.1)
        generation = get_generation.sync(generation.id, client=client)
    body = ShotApprove(prediction_id=generation.predictions[0].id)
    approve_shot.sync(shot_id, client=client, body=body)
    return get_shot.sync(shot_id, client=client)


client = log_in()
look = make_look(client, Path(sys.argv[1]).read_bytes())
shots = [shoot(client, shot.id).to_dict() for shot in look.shots]
progress = get_shooting_progress.sync(look.shooting_id, client=client).to_dict()
json.dump({"shots": shots, "progress": progress}, sys.stdout)

"""Fill an organization with a demonstration catalog, over HTTP as any client would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from configs.settings import CHECKOUT

DEMO = CHECKOUT / "configs" / "examples" / "catalog" / "demo.yaml"


class SeedError(Exception):
    """The platform refused something; the text says what and why."""


@dataclass
class Seeded:
    """Ids of what is there now, by name (products by SKU).

    ``created`` counts what was made by this run: none of it when all was there before.
    """

    brand_id: str = ""
    guideline_id: str = ""
    shooting_id: str = ""
    products: dict[str, str] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)
    shots: list[str] = field(default_factory=list)
    created: int = 0


class Seeder:
    """Makes what is not there yet.

    Args:
        client: of the Backend API, with a token of an editor.
        say: told of each thing that is made.
    """

    def __init__(self, client: httpx.Client, say: Callable[[str], None] = lambda _: None) -> None:
        self._client = client
        self._say = say
        self._done = Seeded()

    def fill(self, catalog: Path = DEMO) -> Seeded:
        """Make the catalog's brand, products, subjects, styles, guidelines and shooting.

        Raises:
            SeedError: the platform refused something.
        """
        data = yaml.safe_load(catalog.read_text())
        done = self._done
        done.brand_id = self._ensure("/brands/", "name", data["brand"])
        for product in data["products"]:
            values = {**_without(product, "image"), "brand_id": done.brand_id}
            found = self._ensure("/products/", "sku", values)
            done.products[product["sku"]] = found
            self._picture(f"/products/{found}", catalog.parent / product["image"], type="primary")
        for subject in data["subjects"]:
            found = self._ensure("/subjects/", "name", _without(subject, "image"))
            done.subjects[subject["name"]] = found
            self._picture(f"/subjects/{found}", catalog.parent / subject["image"], is_cover="true")
        for style in data["styles"]:
            done.styles[style["name"]] = self._ensure("/styles/", "name", style)
        guideline = {**data["guideline"], "brand_id": done.brand_id}
        done.guideline_id = self._ensure("/guidelines/", "name", guideline)
        self._shooting(data["shooting"])
        return done

    def _shooting(self, shooting: Mapping[str, Any]) -> None:
        done = self._done
        values = _without(shooting, "looks")
        values |= {"brand_id": done.brand_id, "guideline_id": done.guideline_id}
        done.shooting_id = self._ensure("/shootings/", "name", values)
        looks = self._get(f"/shootings/{done.shooting_id}/looks", size=100)["items"]
        there = {look["name"]: look for look in looks}
        types = {one["name"]: one["id"] for one in self._get("/shot-types/", size=100)["items"]}
        for look in shooting["looks"]:
            made = there.get(look["name"]) or self._post(
                f"/shootings/{done.shooting_id}/looks",
                {
                    "name": look["name"],
                    "main_product_id": done.products[look["product"]],
                    "subject_id": done.subjects[look["subject"]],
                    "style_id": done.styles[look["style"]],
                    "shot_type_ids": [types[name] for name in look["shot_types"]],
                },
            )
            done.shots.extend(shot["id"] for shot in made["shots"])

    def _ensure(self, url: str, key: str, values: Mapping[str, Any]) -> str:
        """The id of the resource with this key; made if there is none."""
        page = self._get(url, q=values[key], size=100)
        for one in page["items"]:
            if one[key] == values[key]:
                return str(one["id"])
        return str(self._post(url, values)["id"])

    def _picture(self, url: str, picture: Path, **fields: str) -> None:
        if self._get(url)["images"]:
            return
        files = {"file": (picture.name, picture.read_bytes(), "image/jpeg")}
        self._answer(self._client.post(f"{url}/images", files=files, data=fields))

    def _get(self, url: str, **params: Any) -> Any:
        return self._answer(self._client.get(url, params=params))

    def _post(self, url: str, values: Mapping[str, Any]) -> Any:
        answer = self._answer(self._client.post(url, json=dict(values)))
        self._done.created += 1
        self._say(f"{url.strip('/').split('/')[-1]}: {values.get('name', '')}")
        return answer

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_error:
            request = response.request
            raise SeedError(f"{request.method} {request.url.path}: {response.text[:300]}")
        return response.json()


def log_in(base_url: str, email: str, password: str, organization: str | None) -> httpx.Client:
    """A client of the Backend API that has logged in; close it.

    Args:
        base_url: scheme, host and port of the platform.
        email, password: of an account.
        organization: id of the organization to act in; unset: the account's only one.

    Raises:
        SeedError: the platform is not there, or refuses the login.
    """
    base = f"{base_url.rstrip('/')}/api/v1"
    form = {"username": email, "password": password}
    try:
        response = httpx.post(f"{base}/login/access-token", data=form, timeout=60)
    except httpx.HTTPError as error:
        raise SeedError(f"no answer from {base_url}: {error}") from error
    if response.is_error:
        raise SeedError(f"the login of {email} was refused: {response.json()['detail']}")
    headers = {"Authorization": f"Bearer {response.json()['access_token']}"}
    if organization is not None:
        headers["X-Organization-Id"] = organization
    return httpx.Client(base_url=base, headers=headers, timeout=60)


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}

"""The registry of model families."""

import subprocess
import sys

import pytest

from deployments.families.sd import StableDiffusion
from deployments.registry import FAMILIES, FamilyRegistry


def test_resolves_a_family_to_its_class():
    assert FAMILIES.resolve("sd") is StableDiffusion


def test_every_family_resolves():
    assert set(FAMILIES) == {"sd", "sd-instruct", "sdxl", "flux"}
    for name in FAMILIES:
        assert FAMILIES.resolve(name).__module__ == FAMILIES[name].partition(":")[0]


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match=r"'imagen'.*flux, sd, sd-instruct, sdxl"):
        FAMILIES.resolve("imagen")


def test_a_duplicate_is_refused():
    registry = FamilyRegistry()
    registry.register("sd", "a:B")
    with pytest.raises(ValueError, match="registered already, as a:B"):
        registry.register("sd", "c:D")


@pytest.mark.parametrize("target", ["module", "module:", ":Class"])
def test_a_malformed_target_is_refused(target):
    with pytest.raises(ValueError, match="module:Class"):
        FamilyRegistry().register("sd", target)


def test_listing_and_the_server_module_load_no_torch():
    code = (
        "import sys, warnings; warnings.simplefilter('ignore');"
        "import deployments.registry, deployments.generation.server;"
        "assert list(deployments.registry.FAMILIES); print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"

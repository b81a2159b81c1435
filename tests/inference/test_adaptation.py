import pytest
import torch

from qrlib.classifiers import ARCHITECTURES, build
from qrlib.experiments import standalone_plan
from qrlib.inference import adaptation
from qrlib.inference.adaptation import adapt
from qrlib.utils.errors import QrlibError


@pytest.fixture(scope="module")
def classifier():
    """Its statistics are those of other images than it is used for."""
    torch.manual_seed(0)
    made = build("small_resnet", 5, weights=None, image_size=32, preprocessing="rescaled").train()
    with torch.no_grad():
        for _ in range(60):
            made(torch.rand(32, 3, 32, 32))
    return made.eval()


@pytest.fixture(scope="module")
def clean():
    return torch.rand(256, 3, 32, 32, generator=torch.Generator().manual_seed(1)) ** 3


@torch.no_grad()
def test_clean_images_are_answered_as_before(classifier, clean):
    adapted = adapt(classifier, clean.split(64))
    torch.testing.assert_close(adapted(clean), classifier(clean), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("count", "remaining"), [(0, 1e-3), (16, 0.6)])
@torch.no_grad()
def test_it_undoes_a_change_of_brightness(classifier, clean, monkeypatch, count, remaining):
    monkeypatch.setattr(adaptation, "CLEAN_COUNT_FOR", count)
    expected, dark = classifier(clean), clean / 3
    adapted = adapt(classifier, [clean])
    before, after = ((net(dark) - expected).abs().mean() for net in (classifier, adapted))
    assert after < remaining * before


@torch.no_grad()
def test_channels_get_the_clean_mean_and_variance(classifier, clean, monkeypatch):
    monkeypatch.setattr(adaptation, "CLEAN_COUNT_FOR", 0)
    dark = clean / 3 + 0.2
    norm, adapted = classifier.backbone.bn1, adapt(classifier, clean.split(100)).backbone.bn1
    x = [classifier.backbone.conv1(images) for images in (clean, dark)]
    for aligned, wanted in zip(
        torch.var_mean(adapted(x[1]), (0, 2, 3)), torch.var_mean(norm(x[0]), (0, 2, 3)), strict=True
    ):
        torch.testing.assert_close(aligned, wanted, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(adapted(x[0]), norm(x[0]), rtol=1e-3, atol=1e-3)


def test_the_classifier_itself_stays_as_it_is(classifier, clean):
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    expected = classifier(clean[:4])
    adapt(classifier, [clean])(clean[:4] ** 3)
    assert all(torch.equal(v, before[k]) for k, v in classifier.state_dict().items())
    assert torch.equal(classifier(clean[:4]), expected)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_without_batch_normalisation_is_refused(name):
    """And the plan knows which have none, without building them."""
    side = ARCHITECTURES[name].smallest
    classifier = build(name, 3, weights=None, image_size=side, head_width=8).eval()
    clean = [torch.rand(2, 3, side, side)]
    if name not in standalone_plan.WITHOUT_BATCH_STATISTICS:
        assert adapt(classifier, clean)(clean[0]).shape == (2, 3)
        return
    with pytest.raises(QrlibError, match=f"{name} has no batch normalisation to adapt; take one"):
        adapt(classifier, clean)

"""Endpoints: what they are sent, checked against the simulator's models, and what they answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.errors import ConfigurationError, FailureReason, RequestFailedError
from app.core.operations import MERGE_INPUTS_MAX, Operation
from app.core.requests import ImageRequest
from app.worker.fal_shapes import File, Result
from app.worker.models import MODELS, VARY, choose_endpoints, result_urls
from tests.simulators.fal import models as simulated

SHAPES = [(endpoint, operation) for endpoint, model in MODELS.items() for operation in sorted(model.operations)]
REQUEST = ImageRequest("r", 1, 1, "en", Operation.CREATE, prompt="a fox")


def payload(endpoint: str, operation: Operation, **parameters: Any) -> dict[str, Any]:
    pictures = {Operation.CREATE: 0, Operation.MERGE: MERGE_INPUTS_MAX}.get(operation, 1)
    request = ImageRequest("r", 1, 1, "en", operation, prompt="a fox", parameters=parameters)
    return MODELS[endpoint].payload(request, [f"https://pictures.example/{number}.png" for number in range(pictures)])


def test_every_endpoint_here_is_one_that_the_simulator_knows() -> None:
    assert MODELS.keys() == simulated.MODELS.keys()


@pytest.mark.parametrize(("endpoint", "operation"), SHAPES)
def test_an_endpoint_accepts_what_it_is_sent(endpoint: str, operation: Operation) -> None:
    sent = payload(endpoint, operation)
    model = simulated.MODELS[endpoint]
    urls = simulated.input_urls(model, sent)
    assert len(urls) == {Operation.CREATE: 0, Operation.MERGE: MERGE_INPUTS_MAX}.get(operation, 1)
    simulated.output_size(model, sent, [(64, 64)] * len(urls))
    assert sent.keys() == set(model.required)


def test_chosen_parameters_are_sent_where_an_endpoint_has_them() -> None:
    seedream, upscaler = "fal-ai/bytedance/seedream/v4.5/text-to-image", "fal-ai/esrgan"
    sent = payload(seedream, Operation.CREATE, seed=7, aspect_ratio="9:16", unknown=1)
    assert sent == {"prompt": "a fox", "seed": 7, "image_size": {"width": 1440, "height": 2560}}
    assert payload(upscaler, Operation.UPSCALE, scale=4)["scale"] == 4


@pytest.mark.parametrize("ratio", ["1:1", "3:4", "4:3", "9:16", "16:9"])
@pytest.mark.parametrize(
    ("endpoint", "operation"),
    [shape for shape in SHAPES if shape[1] in (Operation.CREATE, Operation.EDIT, Operation.MERGE)],
)
def test_each_endpoint_accepts_each_size_in_its_own_way(endpoint: str, operation: Operation, ratio: str) -> None:
    sent = payload(endpoint, operation, aspect_ratio=ratio, image_size="square_hd")  # an older release's record
    width, height = simulated.output_size(simulated.MODELS[endpoint], sent, [(64, 64)])
    across, down = (int(part) for part in ratio.split(":"))
    assert abs(width / height - across / down) < 0.01


def test_a_size_that_nobody_knows_is_left_to_the_model() -> None:
    for endpoint, operation in SHAPES:
        assert "2:7" not in str(payload(endpoint, operation, aspect_ratio="2:7"))


@pytest.mark.parametrize("endpoint", [endpoint for endpoint, operation in SHAPES if operation is Operation.EDIT])
def test_a_variation_is_asked_for_in_words_of_its_own(endpoint: str) -> None:
    sent = payload(endpoint, Operation.EDIT, variation=True)
    assert sent["prompt"] == VARY
    assert sent.keys() == set(simulated.MODELS[endpoint].required)


def test_every_operation_has_an_endpoint_and_each_can_be_changed() -> None:
    assert choose_endpoints({}) == DEFAULT_ENDPOINTS
    assert DEFAULT_ENDPOINTS.keys() == set(Operation)
    for endpoint, operation in SHAPES:
        assert choose_endpoints({operation: endpoint}) == {**DEFAULT_ENDPOINTS, operation: endpoint}


def test_all_bad_choices_are_named_with_what_would_do() -> None:
    chosen = {Operation.CREATE: "fal-ai/unheard-of", Operation.MERGE: "fal-ai/flux-pro/kontext"}
    with pytest.raises(ConfigurationError) as caught:
        choose_endpoints(chosen)
    for part in ("create: 'fal-ai/unheard-of'", "fal-ai/flux/schnell", "merge: 'fal-ai/flux-pro/kontext'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [{"images": [{"url": "u", "width": 1}], "seed": 1}, {"image": {"url": "u"}}, {"images": [{"url": "u"}, {}]}],
)
def test_pictures_are_found_in_either_shape_of_answer(answer: dict[str, Any]) -> None:
    assert result_urls(Result.model_validate_json(json.dumps(answer)), REQUEST) == ["u"]


def test_no_more_pictures_are_taken_than_were_asked_for() -> None:
    answer = Result(images=[File(url=str(number)) for number in range(1000)])
    assert result_urls(answer, REQUEST) == ["0"]
    assert result_urls(answer, replace(REQUEST, parameters={"num_images": 3})) == ["0", "1", "2"]


@pytest.mark.parametrize("answer", [{}, {"images": []}, {"image": None}, {"images": [None]}, {"image": {"url": 7}}])
def test_an_answer_without_a_picture_is_a_failure(answer: dict[str, Any]) -> None:
    with pytest.raises(RequestFailedError) as caught:
        result_urls(Result.model_validate_json(json.dumps(answer)), REQUEST)
    assert caught.value.reason is FailureReason.INTERNAL

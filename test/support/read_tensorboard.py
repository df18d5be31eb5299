"""Prints as JSON what TensorBoard finds in a folder: each scalar's and image's values by step.

Both of its readers are asked: the plain one, and the one behind the web page, which converts events to its newer form.
Numbers that JSON does not have are strings.
"""
import json
import math
import sys

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator


def number(value):
    return value if math.isfinite(value) else str(value)


folder = sys.argv[1]
plain = event_accumulator.EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0})
plain.Reload()
page = plugin_event_accumulator.EventAccumulator(folder, size_guidance={"tensors": 0})
page.Reload()

tags = plain.Tags()
print(json.dumps({
    "scalars": {tag: [[event.step, number(event.value)] for event in plain.Scalars(tag)] for tag in tags["scalars"]},
    "images": {
        tag: [[event.step, event.width, event.height, event.encoded_image_string.hex()] for event in plain.Images(tag)]
        for tag in tags["images"]
    },
    "page": {
        tag: [page.SummaryMetadata(tag).plugin_data.plugin_name, [event.step for event in page.Tensors(tag)]]
        for tag in page.Tags()["tensors"]
    },
}))

"""Prints as JSON what ONNX Runtime computes, and what it finds in each file.

Standard input is a JSON list of objects: "model", an ONNX file, and "images", a file of uint8 [batch, size, size, 3].
"""
import json
import sys

import numpy
import onnxruntime

found = []
for case in json.load(sys.stdin):
    session = onnxruntime.InferenceSession(case["model"], providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    size = json.loads(metadata["preprocessing"])["centreCrop"]
    images = numpy.fromfile(case["images"], dtype=numpy.uint8).reshape(-1, size, size, 3)
    [logits] = session.run(["logits"], {"image": images.transpose(0, 3, 1, 2).astype(numpy.float32)})
    found.append({
        "inputs": [[each.name, each.type, each.shape] for each in session.get_inputs()],
        "outputs": [[each.name, each.type, each.shape] for each in session.get_outputs()],
        "metadata": metadata,
        "logits": [[float(logit) for logit in row] for row in logits],
    })
print(json.dumps(found))

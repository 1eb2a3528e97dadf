"""Networks run by what is made for inference: ONNX Runtime and OpenVINO beside torch."""

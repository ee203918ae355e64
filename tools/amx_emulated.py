"""Runs test programs on an emulated processor with AMX, for machines that have none.

    export RUSTFLAGS="-C target-feature=+crt-static" CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OPT_LEVEL=3
    cargo test --release -p selfsame-kernels -p selfsame-runtime --target x86_64-unknown-linux-gnu --no-run
    cargo build --release -p selfsame-runtime --example traces --target x86_64-unknown-linux-gnu
    python tools/amx_emulated.py FOLDER --bochs BOCHS --bios FOLDER --kernel VMLINUZ --busybox BUSYBOX --isolinux FOLDER \\
        [--file FILE]... -- [NAME=VALUE]... PROGRAM [ARGUMENT...] [-- [NAME=VALUE]... PROGRAM [ARGUMENT...]]...

Boots a Linux kernel in Bochs with the programs in the initial memory disk, runs one after the other, each with its variables, prints
what they print and exits with 1 unless each exits with 0. No test needs this: it is how the kernel `amx` is checked where nothing else can.

Nothing is to be timed here: it makes 30 to 130 million instructions in a second, a release build runs about 200 times slower than on the
machine below, and a debug build does not end within the hour. Give the tests `--test-threads=1`. In minutes of a whole core, the kernels' `tiles`,
`pool` and units take one each, `linear` half a minute for every hundred random cases and `rows` for every ten (`PROPTEST_CASES` says
how many, `PROPTEST_RNG_SEED` makes the same again), and the runtime's `equals_interpreter` five. The example `traces` runs program files on all
kernels, one minute for the shipped ones: `--file models/lenet/program.selfsame -- .../traces models/lenet/program.selfsame`.
What ran, and what came out: docs/kernels.md.

What it needs:
    FOLDER       scratch: the memory disk, the boot image, the log
    --bochs      Bochs 3.0 from its source with tools/bochs-3.0-amx.patch (`patch -p1`), as it comes it cannot boot Linux with tiles:
                 ./configure --enable-cpu-level=6 --enable-x86-64 --enable-avx --enable-evex --enable-amx --enable-protection-keys
                 --enable-cet --enable-uintr --enable-memtype --enable-monitor-mwait --enable-all-optimizations --enable-pci
                 --enable-cdrom --disable-plugins --disable-docbook --disable-debugger --disable-debugger-gui --with-nogui
                 --without-x --without-x11 --disable-readline --disable-usb
    --bios       the folder with BIOS-bochs-latest and VGABIOS-lgpl-latest (package bochsbios; vgabios)
    --kernel     a Linux kernel from 5.16 on with a serial console (package linux-image-cloud-amd64; tried: 6.12)
    --busybox    a static busybox (package busybox-static)
    --isolinux   the folder with isolinux.bin and ldlinux.c32 (packages isolinux, syslinux-common)
and genisoimage, or xorriso, on the path. Programs are linked statically (RUSTFLAGS above).
"""
import argparse
import gzip
import itertools
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
exec > /dev/ttyS0 2>&1
/bin/busybox grep -o -w -E 'amx_(tile|int8)' /proc/cpuinfo
"""
# Without ACPI and five-level pages: the BIOS enters system management mode, which Bochs refuses with such pages.
COMMAND_LINE = (
    "initrd=/initrd console=ttyS0,115200 no5lvl acpi=off mitigations=off nokaslr tsc=reliable clocksource=tsc lpj=1000000 quiet panic=-1"
)
BOOT = f"SERIAL 0 115200\nDEFAULT linux\nPROMPT 0\nLABEL linux\n KERNEL /vmlinuz\n APPEND {COMMAND_LINE}\n"


def member(name, mode, content=b""):
    """One member of a cpio archive of the form `newc`."""
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = ("070701" + "".join(f"{field:08x}" for field in fields)).encode() + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def is_variable(word):
    return re.match(r"[A-Z_]+=", word) is not None


def memory_disk(busybox, files, commands):
    """The archive with the files under their own names and an init that runs the commands: variables, a program's path, arguments."""
    script, disk = INIT, b"".join(member(folder, 0o040755) for folder in ("bin", "dev", "proc", "tmp"))
    for index, words in enumerate(commands):
        variables = list(itertools.takewhile(is_variable, words))
        program, *arguments = words[len(variables) :]
        named = [f"{name}={shlex.quote(value)}" for name, _, value in (word.partition("=") for word in variables)]
        script += shlex.join(["echo", "==", *variables, pathlib.Path(program).name, *arguments]) + "\n"
        script += " ".join([*named, shlex.join([f"/bin/program{index}", *arguments])]) + '\necho "exit $?"\n'
        disk += member(f"bin/program{index}", 0o100755, pathlib.Path(program).read_bytes())
    # The serial line is slower than the programs: what they wrote gets the time that it needs.
    script += "/bin/busybox sleep 3\necho END\n/bin/busybox sleep 3\n/bin/busybox poweroff -f\n"
    for folder in sorted({str(parent) for file in files for parent in file.parents} - {"."}):
        disk += member(folder, 0o040755)
    for file in files:
        disk += member(str(file), 0o100644, file.read_bytes())
    disk += member("bin/busybox", 0o100755, pathlib.Path(busybox).read_bytes())
    disk += member("init", 0o100755, script.encode())
    return gzip.compress(disk + member("TRAILER!!!", 0), 1)


def boot_image(folder, arguments, commands):
    """Writes the image that the emulator boots from."""
    tree = folder / "tree"
    (tree / "isolinux").mkdir(parents=True, exist_ok=True)
    for name in ("isolinux.bin", "ldlinux.c32"):
        shutil.copy(next(pathlib.Path(arguments.isolinux).rglob(name)), tree / "isolinux" / name)
    shutil.copy(arguments.kernel, tree / "vmlinuz")
    (tree / "initrd").write_bytes(memory_disk(arguments.busybox, arguments.file, commands))
    (tree / "isolinux" / "isolinux.cfg").write_text(BOOT)
    tool = shutil.which("genisoimage") or shutil.which("xorriso")
    if tool is None:
        sys.exit("no genisoimage and no xorriso on the path: install one of them")
    make = [tool] if tool.endswith("genisoimage") else [tool, "-as", "mkisofs"]
    boot = "-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table -R".split()
    subprocess.run([*make, "-quiet", *boot, "-o", folder / "boot.iso", tree], check=True)


def configuration(folder, bios):
    return f"""display_library: nogui
config_interface: textconfig
cpu: model=sapphire_rapids, count=1, ips=100000000, reset_on_triple_fault=0
memory: guest=1024, host=1024
romimage: file={bios}/BIOS-bochs-latest
vgaromimage: file={bios}/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path={folder}/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={folder}/serial.txt
log: {folder}/bochs.txt
panic: action=fatal
error: action=ignore
info: action=report
clock: sync=none
"""


def run(folder, bochs, count, timeout):
    """Boots, prints the serial line while it grows, and says whether all `count` programs ended well."""
    serial = folder / "serial.txt"
    serial.write_bytes(b"")
    emulator = subprocess.Popen(
        [bochs, "-q", "-f", str(folder / "bochsrc")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    printed, waited = 0, 0
    try:
        while True:
            try:
                emulator.wait(1)
                ended = True
            except subprocess.TimeoutExpired:
                ended = False
            text = serial.read_bytes().decode("ascii", "replace").replace("\r", "")
            print(text[printed:], end="", flush=True)
            printed, waited = len(text), waited + 1
            if ended or "\nEND\n" in text or timeout < waited:
                break
    finally:
        emulator.kill()
        emulator.wait()
    return "amx_int8" in text and "\nEND\n" in text and text.count("\nexit 0\n") == count


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    for name in ("bochs", "bios", "kernel", "busybox", "isolinux"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--file", type=pathlib.Path, action="append", default=[], help="a file that programs find under the same relative path")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds")
    arguments = parser.parse_args(sys.argv[1:split])
    commands = [[]]
    for word in sys.argv[split + 1 :]:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    if any(all(map(is_variable, words)) for words in commands):
        parser.error("no program behind --")
    if any(file.is_absolute() or ".." in file.parts for file in arguments.file):
        parser.error("--file takes relative paths below the working folder")
    folder = pathlib.Path(arguments.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    boot_image(folder, arguments, commands)
    (folder / "bochsrc").write_text(configuration(folder, pathlib.Path(arguments.bios).resolve()))
    sys.exit(0 if run(folder, arguments.bochs, len(commands), arguments.timeout) else 1)


main()

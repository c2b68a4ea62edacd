"""What a measurement was made on: no names and no paths, only what decides how fast it is."""
import glob
import hashlib
import os
import platform

FLAGS = ("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
         "amx_bf16", "amx_int8", "asimd", "sve", "i8mm", "bf16")


def describe(threads):
    cpu, flags, memory = platform.machine(), [], None
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        cpu = fields.get("model name", cpu)
        present = (fields.get("flags") or fields.get("Features") or "").split()
        flags = [flag for flag in FLAGS if flag in present]
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = round(int(file.readline().split()[1]) / 2**20)
    except (OSError, ValueError, IndexError):
        pass
    caches = {}
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        try:
            level, kind, size = (open(os.path.join(index, name), encoding="ascii").read().strip()
                                 for name in ("level", "type", "size"))
            caches[f"L{level}" + {"Data": "d", "Instruction": "i"}.get(kind, "")] = size
        except OSError:
            continue
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "threads": threads, "flags": flags, "caches": caches,
            "memory_gib": memory, "system": f"{platform.system()} {platform.machine()}"}


def fingerprint(paths):
    """Tells builds apart: a hash of the files' contents."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]

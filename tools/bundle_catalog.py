"""Make the catalog that ships in the package from the full table of AWS types.

Usage: python tools/bundle_catalog.py ../shared/data/optimizer/catalog_aws.csv
"""

import argparse
import csv
import gzip
import io
from pathlib import Path

TARGET = Path(__file__).parent.parent / "optimizer/nodemix/optimizer/catalog/data/aws.csv.gz"
COLUMNS = (
    "instance_type",
    "family",
    "category",
    "generation",
    "arch",
    "vcpu",
    "memory_mib",
    "alloc_cpu_m",
    "alloc_memory_mib",
    "alloc_ephemeral_gib",
    "max_pods_eks",
    "gpu_count",
    "gpu_resource",
    "gpu_name",
    "gpu_memory_mib",
    "local_nvme_gib",
    "network_mbps",
    "hypervisor",
    "od_usd_h",
    "spot_usd_h_est",
    "spot_band",
)


def bundle(source: Path) -> bytes:
    """The bundled file's bytes: the same facts always give the same bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    with source.open(encoding="utf-8", newline="") as file:
        writer.writerows(record for record in csv.DictReader(file) if not record["accel"])
    return gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)


def main() -> None:
    """Write the bundled catalog, or the file named as target."""
    parser = argparse.ArgumentParser(description=bundle.__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    packed = bundle(arguments.source)
    arguments.target.write_bytes(packed)
    print(f"{arguments.target.name}: {len(packed)} bytes")


if __name__ == "__main__":
    main()

"""The kinds of clusters whose WAL is redone in tests."""

from support.postgres import ClusterKind

KINDS = [
    ClusterKind("checksums_zstd", checksums=True, settings=(("wal_compression", "zstd"),)),
    ClusterKind("no_full_page_writes", settings=(("full_page_writes", "off"),)),
]
# Each way to write WAL is among them, and with --redo-matrix they are all tested.
EVERY_KIND = [
    *KINDS,
    ClusterKind("plain"),
    ClusterKind("hints", settings=(("wal_log_hints", "on"),)),
    ClusterKind("hints_pglz_no_full_page_writes",
                settings=(("wal_log_hints", "on"), ("wal_compression", "pglz"),
                          ("full_page_writes", "off"))),
    ClusterKind("checksums_lz4_no_full_page_writes", checksums=True,
                settings=(("wal_compression", "lz4"), ("full_page_writes", "off"))),
    ClusterKind("checksums_logical", checksums=True, settings=(("wal_level", "logical"),)),
]

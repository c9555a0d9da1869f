"""Finds and reads the catalogue of probe sets and audits, and says what is compared with what.

A name is looked up as a path to a `.toml` file, then in the user's folders, in the environment's folders
(`BIASKIT_PROBES`, `BIASKIT_AUDITS`), in plug-in packages (entry points of the group `biaskit.catalogues`,
whose value names a package with folders `probes` and `audits`), and last in the shipped catalogue.
"""

from __future__ import annotations

from biaskit.catalogue.audit_files import has_audit, inside, line_in, read_audit_spec
from biaskit.catalogue.drawing import Drawn, drawn
from biaskit.catalogue.folders import Origin
from biaskit.catalogue.labelled import check_labels, labelled_frame, labelled_texts, rows_by_text
from biaskit.catalogue.matching import Matched, comparisons, reference_pair, resolve_target
from biaskit.catalogue.naming import audit_path, audit_spec, audit_specs, probe_set, probe_sets
from biaskit.catalogue.reading import read_probe_set

__all__ = [
    "Drawn",
    "Matched",
    "Origin",
    "audit_path",
    "audit_spec",
    "audit_specs",
    "check_labels",
    "comparisons",
    "drawn",
    "has_audit",
    "inside",
    "labelled_frame",
    "labelled_texts",
    "line_in",
    "probe_set",
    "probe_sets",
    "read_audit_spec",
    "read_probe_set",
    "reference_pair",
    "resolve_target",
    "rows_by_text",
]

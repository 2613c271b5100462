"""A contract for import-linter: these modules import the standard library alone."""

import sys
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.imports import Module


class StandardLibraryContract(Contract):
    """A list of forbidden packages would go stale; the standard library knows its own names."""

    modules = fields.ListField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - import-linter's signature
        own = {
            name
            for module in cast("list[Module]", self.modules)
            for name in (module.name, *graph.find_descendants(module.name))
        }
        found = [
            f"{importer} imports {imported}"
            for importer in sorted(own)
            for imported in sorted(graph.find_modules_directly_imported_by(importer) - own)
            if imported.split(".")[0] not in sys.stdlib_module_names and imported not in _parents(own)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["found"]:
            output.print_error(f"- {line}: only the standard library may be imported there.")


def _parents(modules: set[str]) -> set[str]:
    """`from poe2openai.config import values` imports the package as well."""
    return {name.rpartition(".")[0] for name in modules}

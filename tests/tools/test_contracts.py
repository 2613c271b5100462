from grimp import ImportGraph

from tools.contracts import StandardLibraryContract


def graph_of(*imports: tuple[str, str]) -> ImportGraph:
    graph = ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported, line_number=1, line_contents="import …")
    return graph


def check(graph: ImportGraph) -> tuple[bool, list[str]]:
    contract = StandardLibraryContract("pure", {}, {"modules": ["house.core"]})
    result = contract.check(graph, verbose=False)
    return result.kept, result.metadata["found"]


def test_the_standard_library_and_the_package_itself_may_be_imported() -> None:
    graph = graph_of(("house.core.events", "dataclasses"), ("house.core.events", "house.core.errors"))
    graph.add_module("house.core")

    assert check(graph) == (True, [])


def test_anything_else_is_told_wherever_in_the_package_it_is() -> None:
    graph = graph_of(("house.core.events", "orjson"), ("house.core.errors", "house.web"), ("house.web", "flask"))
    graph.add_module("house.core")

    assert check(graph) == (False, ["house.core.errors imports house.web", "house.core.events imports orjson"])

"""The areas of random requests, and what scenarios of each consist of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from couchfake.recordings.differential import attachments, databases, documents, feeds, queries
from couchfake.recordings.differential.world import Step, World

Maker = Callable[[World], Step]


@dataclass(frozen=True)
class Area:
    """``makers`` make its requests, each as likely as the next; ``setup`` makes those that a scenario begins with."""

    makers: tuple[Maker, ...]
    setup: tuple[Maker, ...] = ()
    partitioned: bool = False


AREAS = {
    "documents": Area((documents.get, documents.put, documents.post, documents.delete, documents.copy)),
    "revisions": Area((documents.put_branch, documents.put_branch, documents.get, documents.get_open_revs,
                       documents.revs_diff, documents.delete, databases.limits)),
    "bulk": Area((documents.bulk_docs, documents.bulk_docs, documents.bulk_get, documents.revs_diff, queries.all_docs)),
    "attachments": Area((attachments.put, attachments.get, attachments.get, attachments.delete, attachments.put_inline,
                         attachments.get_document, documents.multipart)),
    "changes": Area((feeds.changes, feeds.changes, feeds.chosen_changes, feeds.other_feed), (queries.put_design,)),
    "all_docs": Area((queries.all_docs, queries.all_docs, queries.queries)),
    "views": Area((queries.view, queries.view, queries.reduced_view, queries.change_design, queries.changed_view),
                  (queries.put_design, queries.change_design)),
    "design_functions": Area((queries.show, queries.list_, queries.update), (queries.put_design,)),
    "mango": Area((queries.find, queries.find, queries.find, queries.put_index, queries.indexes)),
    "partitions": Area((databases.partition,), (databases.put_partitioned_design,), partitioned=True),
    "security": Area((databases.security, databases.as_nobody)),
    "local": Area((documents.local,)),
    "purge": Area((documents.purge, documents.get, feeds.changes, queries.all_docs)),
    "headers": Area((documents.with_header,)),
    "malformed": Area((documents.malformed, databases.other_methods)),
    "databases": Area((databases.info, databases.limits, databases.create, databases.small_posts)),
}  # fmt: skip

_WRITERS: tuple[Maker, ...] = (documents.put, documents.put, documents.put_branch, documents.bulk_docs,
                               documents.delete, attachments.put)  # fmt: skip
_WRITES = 0.3  # the share of writes between an area's own requests


def steps(area: Area, world: World, length: int) -> Iterator[Step]:
    """Generate the requests of a scenario. Each is made after the answer to the one before has been learnt."""
    yield world.step("PUT", world.path() + ("?q=1&partitioned=true" if area.partitioned else "?q=1"))
    for maker in (documents.bulk_docs, *area.setup):
        yield maker(world)
    for _ in range(length):
        yield world.one(_WRITERS if world.chance(_WRITES) else area.makers)(world)


def world_of(area: Area, name: str, seed: int, number: int) -> World:
    """Return the world of a seed's scenario with this number. The same arguments give the same requests."""
    database = f"couchfake-compare-{name.replace('_', '-')}-{seed}-{number}"
    return World(random.Random(f"{name} {seed} {number}"), database, area.partitioned)

"""`symdl models`, `symdl show`, `symdl verify`: what there is, and whether it is what it says."""

from __future__ import annotations

import argparse
import inspect
import json
from dataclasses import asdict
from typing import Any

from symdl.cli.options import DONE, FAILED
from symdl.zoo import data, pretrained
from symdl.zoo.registry import MODELS, RECIPES, Recipe, recipe


def add_verbs(verbs: Any) -> None:
    """Their parsers."""
    verb = verbs.add_parser("models", help="list models and recipes")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=models)

    verb = verbs.add_parser("show", help="a model's config, its parameters, its card if its weights are shipped")
    verb.add_argument("model", metavar="MODEL", help="a recipe or a model, as for train")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=show)

    verb = verbs.add_parser("verify", help="judge all shipped weights anew and compare with their cards")
    verb.add_argument("names", nargs="*", metavar="NAME", help="shipped models; all if none is named")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=verify)


def models(arguments: argparse.Namespace) -> int:
    """`symdl models`."""
    if arguments.json:
        print(json.dumps([_row(r) for r in RECIPES.values()]))
        return DONE
    print(f"{'recipe':<24}{'data':<10}{'measure':<20}{'to reach':>11}  weights  network")
    for r in RECIPES.values():
        gate = "" if r.gate is None else f"{'<=' if r.least else ''}{r.gate:g}"
        print(f"{r.name:<24}{r.data:<10}{r.measure:<20}{gate:>11}  {'shipped' if r.shipped else '-':<7}  {r.make()}")
    print("\nsymdl train RECIPE, or symdl train MODEL for the first of its recipes; data:")
    for name, source in data.SOURCES.items():
        print(f"  {name:<10} {source.about}")
    return DONE


def _row(r: Recipe) -> dict[str, Any]:
    return {
        "recipe": r.name,
        "model": r.model,
        "data": r.data,
        "measure": r.measure,
        "gate": r.gate,
        "anchor": r.anchor,
        "shipped": r.shipped,
        "config": asdict(r.config),
    }


def show(arguments: argparse.Namespace) -> int:
    """`symdl show`."""
    chosen = recipe(arguments.model)
    model = chosen.make()
    parameters = [(str(p.name), str(p.type), int(p.get_value(borrow=True).size)) for p in model.parameters]
    card = pretrained.card(chosen.name) if chosen.shipped else None
    if arguments.json:
        print(json.dumps({**_row(chosen), "parameters": parameters, "card": card}))
        return DONE
    print(f"{chosen.name}: {model}")
    print(inspect.cleandoc(MODELS[chosen.model].__doc__ or ""))
    print(f"\ndata: {chosen.data}, {data.SOURCES[chosen.data].about}")
    if chosen.gate is not None:
        anchor = f"; anchor: {chosen.anchor}" if chosen.anchor else ""
        print(f"to reach: {chosen.measure} {'at most' if chosen.least else 'at least'} {chosen.gate:g}{anchor}")
    print("\nconfig (change with --set FIELD=VALUE):")
    for name, value in asdict(chosen.config).items():
        print(f"  {name:<16} {value}")
    print("\nparameters:")
    for name, kind, size in parameters:
        print(f"  {name:<16} {kind:<24} {size:>10,}")
    print(f"  {'in all':<41} {sum(size for *_, size in parameters):>10,}")
    if card is not None:
        print("\nshipped weights:")
        for name, value in card.items():
            print(f"  {name:<16} {value}")
    return DONE


def verify(arguments: argparse.Namespace) -> int:
    """`symdl verify`."""
    rows = [pretrained.verified(name) for name in arguments.names or pretrained.names()]
    if arguments.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            verdict = "as its card says" if row["fine"] else f"NOT as its card says: {row['trouble']}"
            print(f"{row['name']:<24} {row['measure']} {row['value']:.4f}: {verdict}")
        size = sum(row["bytes"] for row in rows)
        print(f"{sum(row['fine'] for row in rows)} of {len(rows)} are right, {size / 1e6:.2f} MB in all")
    return DONE if all(row["fine"] for row in rows) else FAILED

"""The table of population.py."""

import dataclasses

import problem


def duration(seconds):
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def extrapolated(row):
    return None if row.seconds is None else row.seconds * problem.SWEEP_NETWORK_STEPS


def ratio(row, ensyn):
    """How many times ensyn's time; nothing where the curves say that the work is another."""
    if row.agrees is not True or row.seconds is None or ensyn.seconds is None:
        return None
    return row.seconds / ensyn.seconds


def records(rows):
    return [
        {
            **dataclasses.asdict(row),
            "network_steps_per_second": None if row.seconds is None else 1 / row.seconds,
            "sweep_seconds_extrapolated": extrapolated(row),
            "times_ensyn": ratio(row, rows[0]),
        }
        for row in rows
    ]


def cells(row, ensyn):
    if row.seconds is None:
        return [row.title, "-", "-", "-", "-", "-", "-"]
    whole = [f"{duration(extrapolated(row))} extrapolated"]
    if row.whole is not None:
        whole.insert(0, f"{duration(row.whole)} measured")
    times = ratio(row, ensyn)
    return [
        row.title,
        str(row.networks),
        "-" if row.prepare is None else f"{row.prepare:.1f}",
        f"{1e6 * row.seconds:,.4g}",
        f"{1 / row.seconds:,.0f}",
        ", ".join(whole),
        "-" if times is None else f"{times:,.3g}",
    ]


def text(head, rows, options):
    """As people read it: figures first, then what each was checked with."""
    columns = [
        "who",
        "networks at once",
        "prepare s",
        "us/network-step",
        "network-steps/s",
        "sweep of 3.6e7",
        "times ensyn",
    ]
    body = [columns] + [cells(row, rows[0]) for row in rows]
    widths = [max(len(line[k]) for line in body) for k in range(len(columns))]
    lines = ["The paper's sweep (784-100-100-10, batch 20, half heterogeneous, half homogeneous noise)"]
    lines += [f"{name:8} {value}" for name, value in head.items() if value]
    lines += [
        f"timing   {options.steps} steps to warm up, then 3 times {options.steps}, the median; preparing is apart: it",
        "         is loading, compiling and capturing. Peers are float32 without TF32, but where a row says otherwise;",
        "         ensyn is what its driver chooses (its tensor-core kernels split operands into two TF32 parts): the",
        "         difference between longer and shorter sweeps",
        "",
    ]
    for line in body:
        first, *rest = (
            cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(zip(line, widths))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    lines += ["", "loss curves and sigma beside ensyn's CPU backend, and what each row was made with"]
    width = max(len(row.title) for row in rows)
    lines += [f"{row.title.ljust(width)}  {'; '.join([row.verdict, *row.notes])}" for row in rows]
    return "\n".join(lines) + "\n"

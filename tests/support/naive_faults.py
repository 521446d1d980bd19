# SPDX-License-Identifier: GPL-2.0-only
"""Faults that interleave, reimplemented from docs/rules-2.6.md sections 4.8 to 4.12 and 5, slow, without shared code.

A state is a dict: vmas by process and start, heads and nodes of lists, pages by process and address, the threads. Only
exit changes the vmas; all of a process may share, since they differ in their protection at most.
"""

import copy

DONE = "done"


class Bug(Exception):
    """A freed node is written to, or an anon_vma freed twice."""


def begin(layout, is_forked, faults, locked, shares):
    """The state after the mappings of layout, (start, pages, is written) each, and fork, before any fault."""
    s = {"vma": {}, "head": {}, "node": {}, "page": {}, "ptl": {}, "forked": is_forked, "locked": locked}
    s["shares"] = shares
    for start, pages, _ in layout:
        s["vma"][0, start] = {"end": start + pages, "anon_vma": None, "node": None}
    for start, _, is_written in layout:
        s["thread"] = [{"process": 0, "address": start, "at": "start"}]
        while is_written and s["thread"][0]["at"] != DONE:
            assert step(s, 0)
    if is_forked:
        fork(s)
    s["thread"] = [{"process": process, "address": address, "at": "start"} for process, address in faults]
    return s


def fork(s):
    for _, start in list(s["vma"]):
        anon_vma = s["vma"][0, start]["anon_vma"]
        s["vma"][1, start] = {**s["vma"][0, start], "node": None}
        if anon_vma is not None:
            first, node = s["head"][anon_vma]["next"], new_node(s, (1, start))
            s["node"][node].update(next=first, prev=None)
            write(s, anon_vma, first, "prev", node)
            s["head"][anon_vma]["next"] = node
    for _, address in list(s["page"]):
        s["page"][0, address]["shared"] = True
        s["page"][1, address] = dict(s["page"][0, address])


def new_node(s, vma):
    number = len(s["node"])
    s["node"][number] = {"next": None, "prev": None, "is_freed": False, "vma": vma}
    s["vma"][vma]["node"] = number
    return number


def write(s, anon_vma, node, way, value):
    """Write node->way = value; None is the head."""
    if node is not None and s["node"][node]["is_freed"]:
        raise Bug
    (s["head"][anon_vma] if node is None else s["node"][node])[way] = value


def neighbours_anon_vma(s, process, start):
    """The anon_vma of the next vma, else of the previous one, if it touches."""
    end = s["vma"][process, start]["end"]
    above = s["vma"].get((process, end), {}).get("anon_vma")
    below = [vma["anon_vma"] for (owner, _), vma in s["vma"].items() if owner == process and vma["end"] == start]
    found = above if above is not None or not below else below[0]
    return found if s["shares"] else None


def step(s, number):
    """Run one line of a fault. Returns False if it has to wait for a lock."""
    t = s["thread"][number]
    process, address, at = t["process"], t["address"], t["at"]
    (where,) = (key for key, vma in s["vma"].items() if key[0] == process and key[1] <= address < vma["end"])
    vma, page = s["vma"][where], s["page"].get((process, address))
    if at == "start":
        t["at"] = DONE if page and not page["shared"] else "read anon_vma"
    elif at == "read anon_vma":
        t["at"] = "look" if vma["anon_vma"] is None else "map"
    elif at == "look":
        t["anon_vma"], t["own"] = neighbours_anon_vma(s, *where), False
        t["at"] = "allocate" if t["anon_vma"] is None else "lock"
    elif at == "allocate":
        t["anon_vma"], t["own"], t["at"] = len(s["head"]), True, "lock"
        s["head"][t["anon_vma"]] = {"next": None, "prev": None, "lock": None, "is_freed": False}
    elif at == "lock":
        if s["ptl"].get(process) is not None:
            return False
        s["ptl"][process], t["at"] = number, "lock list" if s["locked"] else "look again"
    elif at == "lock list":
        if s["head"][t["anon_vma"]]["lock"] is not None:
            return False
        s["head"][t["anon_vma"]]["lock"], t["at"] = number, "look again"
    elif at == "look again":
        t["at"] = "install" if vma["anon_vma"] is None else "unlock"
    elif at == "install":
        vma["anon_vma"], t["own"], t["at"] = t["anon_vma"], False, "add 0"
    elif at.startswith("add"):
        add(s, t, where)
    elif at == "unlock":
        s["ptl"][process] = s["head"][t["anon_vma"]]["lock"] = None
        t["at"] = "free" if t["own"] else "map"
    elif at == "free":
        s["head"][t["anon_vma"]]["is_freed"], t["at"] = True, "map"
    elif at == "map":
        if s["ptl"].get(process) is not None:
            return False
        if page and page["shared"]:
            s["page"][1 - process, address]["shared"] = False
        if not page or page["shared"]:
            s["page"][process, address] = {"anon_vma": vma["anon_vma"], "shared": False}
        t["at"] = DONE
    return True


def add(s, t, where):
    """The lines of list_add: its reads, and its four writes."""
    anon_vma, node, number = t["anon_vma"], s["vma"][where]["node"], int(t["at"][-1])
    if number == 0:
        t["first"] = s["head"][anon_vma]["next"]
        new_node(s, where)
    elif number == 1:
        write(s, anon_vma, t["first"], "prev", node)
    elif number == 2:
        s["node"][node]["next"] = t["first"]
    elif number == 3:
        s["node"][node]["prev"] = None
    else:
        s["head"][anon_vma]["next"] = node
    t["at"] = "unlock" if number == 4 else f"add {number + 1}"


def leave(s):
    """Run the exit of p1, all at once. Returns False if it has to wait."""
    own = [key for key in s["vma"] if key[0] == 1]
    lists = {s["vma"][key]["anon_vma"] for key in own} - {None}
    if any(t["process"] == 1 and t["at"] not in ("start", DONE) for t in s["thread"]):
        return False
    if any(s["head"][anon_vma]["lock"] is not None for anon_vma in lists):
        return False
    for key in own:
        vma = s["vma"].pop(key)
        if vma["anon_vma"] is not None:
            unlink(s, vma["anon_vma"], s["node"][vma["node"]])
    for key in [key for key in s["page"] if key[0] == 1]:
        if s["page"].pop(key)["shared"]:
            s["page"][0, key[1]]["shared"] = False
    s["forked"] = False
    for t in s["thread"]:
        t["at"] = DONE if t["process"] == 1 else t["at"]
    return True


def unlink(s, anon_vma, node):
    write(s, anon_vma, node["next"], "prev", node["prev"])
    write(s, anon_vma, node["prev"], "next", node["next"])
    node["is_freed"] = True
    if s["head"][anon_vma]["next"] is None:
        if s["head"][anon_vma]["is_freed"]:
            raise Bug
        s["head"][anon_vma]["is_freed"] = True


def order_of(s, anon_vma, way):
    """The vmas that a list leads to, up to a freed one or a repetition."""
    found, node = [], s["head"][anon_vma][way]
    while node is not None and len(found) < 9:
        found.append("freed" if s["node"][node]["is_freed"] else s["node"][node]["vma"])
        node = None if found[-1] == "freed" else s["node"][node][way]
    return tuple(found)


def outcome(s):
    """The visible final state, anon_vmas by number: vmas, pages, lists, the number of live anon_vmas."""
    names = {None: 0}
    vmas = [(key, names.setdefault(vma["anon_vma"], len(names))) for key, vma in sorted(s["vma"].items())]
    pages = [
        (key, names.setdefault(page["anon_vma"], len(names)), page["shared"]) for key, page in sorted(s["page"].items())
    ]
    lists = [(order_of(s, anon_vma, "next"), order_of(s, anon_vma, "prev")) for anon_vma in list(names)[1:]]
    live = sum(not head["is_freed"] for head in s["head"].values())
    return tuple(vmas), tuple(pages), tuple(lists), s["forked"], live


def outcomes(state, exits):
    """The final states of every interleaving of the faults and, if exits, of p1's exit."""
    found, seen, left = set(), set(), [(state, exits)]
    while left:
        s, is_left = left.pop()
        if (repr(s), is_left) in seen:
            continue
        seen.add((repr(s), is_left))
        waiting = [number for number, t in enumerate(s["thread"]) if t["at"] != DONE]
        moves = [lambda c, number=number: step(c, number) for number in waiting] + [leave] * is_left
        if not moves:
            found.add(outcome(s))
        is_stuck = bool(moves)
        for move in moves:
            c = copy.deepcopy(s)
            try:
                if move(c):
                    left.append((c, is_left and move is not leave))
                    is_stuck = False
            except Bug:
                found.add("BUG")
                is_stuck = False
        if is_stuck:
            found.add("DEADLOCK")
    return found

\* SPDX-License-Identifier: GPL-2.0-only
---- MODULE AddressSpace ----
\* The benchmark's address space for TLC. An anon_vma is a number, 0 for none yet.
EXTENDS Integers, Sequences, TLC
CONSTANT Pages
VARIABLE pages

Page == 1 .. Pages
Cell(prot, anon) == [prot |-> prot, anon |-> anon]
Unmapped == Cell("none", 0)
Fresh == Cell("rw", 0)
Least(numbers) == CHOOSE n \in numbers : \A m \in numbers : n <= m
Largest(numbers) == CHOOSE n \in numbers : \A m \in numbers : n >= m

\* Page by page in one direction: those without an anon_vma take that of the page before. TLCEval is for speed alone.
RECURSIVE Spread(_, _, _)
Spread(c, page, step) ==
  LET next == page + step
      taken == c[page].anon # 0 /\ c[next].anon = 0 /\ c[next].prot = c[page].prot
  IN  IF next \notin Page THEN c
      ELSE Spread(IF taken THEN TLCEval([c EXCEPT ![next] = c[page]]) ELSE c, next, step)

\* Number the anon_vmas by first appearance; met are those of the pages before.
RECURSIVE Renumber(_, _, _)
Renumber(c, page, met) ==
  IF page > Pages THEN c
  ELSE IF c[page].anon = 0 THEN Renumber(c, page + 1, met)
  ELSE LET numbers == {n \in DOMAIN met : met[n] = c[page].anon}
           new == numbers = {}
           number == IF new THEN Len(met) + 1 ELSE Least(numbers)
       IN  Renumber(TLCEval([c EXCEPT ![page].anon = number]), page + 1,
                    IF new THEN Append(met, c[page].anon) ELSE met)

\* Merge from left to right: a page without an anon_vma takes that of the page before, or else of the page after.
Tidy(c) == Renumber(Spread(Spread(TLCEval(c), 1, 1), Pages, -1), 1, <<>>)

Change(range, New(_)) == pages' = Tidy([p \in Page |-> IF p \in range THEN New(pages[p]) ELSE pages[p]])

Map(range, prot) == Change(range, LAMBDA old : Cell(prot, 0))

Unmap(range) ==
  /\ {pages[p] : p \in range} # {Unmapped}
  /\ Change(range, LAMBDA old : Unmapped)

Protect(range, prot) ==
  /\ \A p \in range : pages[p] # Unmapped
  /\ Change(range, LAMBDA old : Cell(prot, old.anon))

\* The anon_vma of the next vma, else of the one before, else a new one. Tidy gives it to the rest of the vma.
Fault(page) ==
  LET others == {p \in Page : pages[p] # Fresh}
      after == {p \in others : p > page}
      before == {p \in others : p < page}
      next == IF after = {} THEN 0 ELSE pages[Least(after)].anon
      previous == IF before = {} THEN 0 ELSE pages[Largest(before)].anon
      new == 1 + Largest({pages[p].anon : p \in Page})
      anon == IF next # 0 THEN next ELSE IF previous # 0 THEN previous ELSE new
  IN  /\ pages[page] = Fresh
      /\ Change({page}, LAMBDA old : Cell("rw", anon))

Init == pages = [p \in Page |-> Unmapped]

Next ==
  \/ \E start \in Page : \E end \in start .. Pages :
       \/ Unmap(start .. end)
       \/ \E prot \in {"r", "rw"} : Map(start .. end, prot) \/ Protect(start .. end, prot)
  \/ \E page \in Page : Fault(page)

Inv == \A p \in 2 .. Pages :
  LET a == pages[p - 1]
      b == pages[p]
  IN  a.prot = b.prot => a.anon = b.anon \/ (a.anon # 0 /\ b.anon # 0)
====

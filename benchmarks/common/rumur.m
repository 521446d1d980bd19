-- SPDX-License-Identifier: GPL-2.0-only
-- The benchmark's address space for Rumur. Before it goes a line "const PAGES: <number>;".

const
  UNMAPPED: 0;
  WRITE: 2; -- 1: read only

type
  page: 0 .. PAGES - 1;
  prot: UNMAPPED .. WRITE;
  mapped: 1 .. WRITE;
  anon: 0 .. PAGES; -- 0: no anon_vma yet

var
  pages: array [page] of record prot: prot; anon: anon end;

-- Merge from left to right: a page without an anon_vma takes that of the page before, or else of the page after.
-- Then number them by first appearance.
procedure tidy();
var
  number: array [anon] of anon;
  numbered: anon;
begin
  for p := 1 to PAGES - 1 do
    if pages[p].anon = 0 & pages[p].prot = pages[p - 1].prot then
      pages[p].anon := pages[p - 1].anon
    end
  end;
  for p := PAGES - 2 to 0 by -1 do
    if pages[p].anon = 0 & pages[p].prot = pages[p + 1].prot then
      pages[p].anon := pages[p + 1].anon
    end
  end;
  clear number;
  clear numbered;
  for p: page do
    if pages[p].anon != 0 then
      if number[pages[p].anon] = 0 then
        numbered := numbered + 1;
        number[pages[p].anon] := numbered
      end;
      pages[p].anon := number[pages[p].anon]
    end
  end
end;

function can_fault(p: page): boolean;
begin
  return pages[p].prot = WRITE & pages[p].anon = 0
end;

-- The anon_vma of the next vma, else of the one before, else a new one.
function anon_for(p: page): anon;
var
  before, after: page;
  largest: anon;
begin
  after := p;
  while after < PAGES - 1 & can_fault(after) do after := after + 1 end;
  if pages[after].anon != 0 then return pages[after].anon end;
  before := p;
  while before > 0 & can_fault(before) do before := before - 1 end;
  if pages[before].anon != 0 then return pages[before].anon end;
  clear largest;
  for q: page do
    if pages[q].anon > largest then largest := pages[q].anon end
  end;
  return largest + 1
end;

startstate
begin
  clear pages
end;

ruleset first: page; last: page do
  ruleset access: mapped do
    rule "map" first <= last ==>
    begin
      for p := first to last do
        pages[p].prot := access;
        pages[p].anon := 0
      end;
      tidy()
    end;

    rule "protect" first <= last & forall p := first to last do pages[p].prot != UNMAPPED end ==>
    begin
      for p := first to last do pages[p].prot := access end;
      tidy()
    end
  end;

  rule "unmap" first <= last & exists p := first to last do pages[p].prot != UNMAPPED end ==>
  begin
    for p := first to last do clear pages[p] end;
    tidy()
  end
end;

ruleset p: page do
  rule "fault" can_fault(p) ==>
  begin
    pages[p].anon := anon_for(p); -- tidy() gives it to the rest of the vma
    tidy()
  end
end;

invariant "inv" forall p := 1 to PAGES - 1 do
  pages[p].prot = UNMAPPED | pages[p].prot != pages[p - 1].prot | pages[p].anon = pages[p - 1].anon
  | (pages[p].anon != 0 & pages[p - 1].anon != 0)
end

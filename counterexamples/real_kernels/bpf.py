# SPDX-License-Identifier: GPL-2.0-only
"""A BPF program that shows the vmas of a process as the kernel has them: for runner.c, which loads it.

It is an iterator over the vmas of one process (task_vma). For each in the address space of traces it writes WORDS
numbers of 64 bits: start, end, flags, offset, file, policy, anon_vma, its num_children and num_active_vmas, and the
anon_vmas of the chain, newest first, with 0 behind the last.
"""

import struct
from dataclasses import dataclass, field

from vmacheck.checker.kernels.btf import Btf

ARENA = 0x100000000000
ARENA_END = ARENA + (256 << 12)
CHAIN = 8  # links that are read
WORDS = 9 + CHAIN
R0, R1, R2, R3, CONTEXT, VMA, LINK, HEAD, FRAME = 0, 1, 2, 3, 6, 7, 8, 9, 10
# operations, of the names that linux/bpf.h has for their parts
LD_IMM64, LDX_DW, ST_DW, STX_DW = 0x18, 0x79, 0x7A, 0x7B  # LD or LDX or ST or STX, with MEM or IMM, and DW
ADD64_K, MOV64_K, MOV64_X = 0x07, 0xB7, 0xBF  # ALU64 with ADD or MOV, and K or X
JEQ_K, JEQ_X, JGE_X, JLT_X, CALL, EXIT = 0x15, 0x1D, 0x3D, 0xAD, 0x85, 0x95  # JMP with JEQ, JGE, JLT, CALL, EXIT
PROBE_READ_KERNEL, SEQ_WRITE = 113, 127
RECORD = -8 * WORDS  # place of the numbers in the frame
NEXT = RECORD - 8


@dataclass
class Assembler:
    """The instructions of a program, and its pending jumps."""

    code: list[bytes] = field(default_factory=list)
    jumps: list[int] = field(default_factory=list)

    def add(self, op: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> None:
        """Append one instruction."""
        self.code.append(struct.pack("<BBhi", op, dst | src << 4, offset, imm))

    def load(self, dst: int, src: int, offset: int) -> None:
        """dst = *(u64 *)(src + offset)."""
        self.add(LDX_DW, dst, src, offset)

    def store(self, word: int, src: int) -> None:
        """Write a word of the record."""
        self.add(STX_DW, FRAME, src, RECORD + 8 * word)

    def move(self, dst: int, src: int, more: int = 0) -> None:
        """dst = src + more."""
        self.add(MOV64_X, dst, src)
        if more:
            self.add(ADD64_K, dst, imm=more)

    def number(self, dst: int, value: int) -> None:
        """dst = a number of 64 bits."""
        low, high = value & 0xFFFFFFFF, value >> 32
        self.code.append(struct.pack("<BBhI", LD_IMM64, dst, 0, low))
        self.code.append(struct.pack("<BBhI", 0, 0, 0, high))

    def jump(self, where: list[int], op: int, dst: int = 0, src: int = 0, imm: int = 0) -> None:
        """A jump to a place that is set later, by land()."""
        where.append(len(self.code))
        self.add(op, dst, src, 0, imm)

    def land(self, where: list[int]) -> None:
        """Make these jumps end here."""
        for place in where:
            op, registers, _, imm = struct.unpack("<BBhi", self.code[place])
            self.code[place] = struct.pack("<BBhi", op, registers, len(self.code) - place - 1, imm)

    def probe(self, offset: int, src: int, more: int) -> None:
        """Read 8 bytes of kernel memory, at src + more, to a place in the frame."""
        self.move(R1, FRAME, offset)
        self.add(MOV64_K, R2, imm=8)
        self.move(R3, src, more)
        self.add(CALL, imm=PROBE_READ_KERNEL)


def _chain(asm: Assembler, btf: Btf) -> None:
    """Write the anon_vmas of the chain; the rest stays 0."""
    head = btf.offset("vm_area_struct", "anon_vma_chain")
    same_vma = btf.offset("anon_vma_chain", "same_vma")
    to_anon_vma = btf.offset("anon_vma_chain", "anon_vma") - same_vma
    done: list[int] = []
    for word in range(9, WORDS):
        asm.add(ST_DW, FRAME, 0, RECORD + 8 * word)
    asm.move(HEAD, VMA, head)
    asm.probe(NEXT, VMA, head)
    for word in range(9, WORDS):
        asm.load(LINK, FRAME, NEXT)
        asm.jump(done, JEQ_X, LINK, HEAD)
        asm.probe(RECORD + 8 * word, LINK, to_anon_vma)
        asm.probe(NEXT, LINK, 0)
    asm.land(done)


def program(btf: Btf) -> bytes:
    """The program for the running kernel. Raises KernelError if its structs differ."""
    asm = Assembler()
    vma = {
        name: btf.offset("vm_area_struct", f"vm_{name}")
        for name in ("start", "end", "flags", "pgoff", "file", "policy")
    }
    asm.move(CONTEXT, R1)
    asm.load(VMA, CONTEXT, btf.offset("bpf_iter__task_vma", "vma"))
    asm.jump(asm.jumps, JEQ_K, VMA)
    asm.load(R1, VMA, vma["start"])
    asm.number(R2, ARENA)
    asm.jump(asm.jumps, JLT_X, R1, R2)
    asm.number(R2, ARENA_END)
    asm.jump(asm.jumps, JGE_X, R1, R2)
    for word, offset in enumerate(vma.values()):
        asm.load(R1, VMA, offset)
        asm.store(word, R1)
    asm.load(LINK, VMA, btf.offset("vm_area_struct", "anon_vma"))
    asm.store(6, LINK)
    for word, name in ((7, "num_children"), (8, "num_active_vmas")):
        asm.add(ST_DW, FRAME, 0, RECORD + 8 * word)
        asm.probe(RECORD + 8 * word, LINK, btf.offset("anon_vma", name))
    _chain(asm, btf)
    asm.load(R1, CONTEXT, btf.offset("bpf_iter__task_vma", "meta"))
    asm.load(R1, R1, btf.offset("bpf_iter_meta", "seq"))
    asm.move(R2, FRAME, RECORD)
    asm.add(MOV64_K, R3, imm=8 * WORDS)
    asm.add(CALL, imm=SEQ_WRITE)
    asm.land(asm.jumps)
    asm.add(MOV64_K, R0)
    asm.add(EXIT)
    return b"".join(asm.code)

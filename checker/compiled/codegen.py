# SPDX-License-Identifier: GPL-2.0-only
"""Functions in the model's Python to LLVM assembly, straight from their syntax trees.

The subset knows integers and structs only, so the only inference is which parameters are structs: those whose
fields are used, or that are handed on as one. Every number is 64 bits wide in a register, and as wide as its
array says in memory; a state is an array of 32-bit numbers (flat.py says where each field is).

The search loop (loops.py) is compiled by the same rules, and two more: a parameter annotated with i64, i32 or u16
is an array of those, which name[index] reads and writes, and at(array, index) is the array from index on.
"""

import ast
from collections.abc import Collection, Mapping, Sequence
from itertools import count

from vmacheck.checker.compiled.flat import Flat, field_metadata
from vmacheck.checker.compiled.signatures import STRUCTS, Signature, is_plain, signatures
from vmacheck.checker.program.guards import with_guards
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Function, LinkError, Program
from vmacheck.checker.program.subset import body

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "slt",
    ast.LtE: "sle",
    ast.Gt: "sgt",
    ast.GtE: "sge",
}
# functions that gain nothing from being part of their callers, and cost time to build as such
APART = ("carry_out", "canonicalise", "state_hits", "step_hits", "pack", "without_known")
SMALL = 400  # nodes of the syntax tree; smaller functions are better inlined
PREFIX = "f."  # so that LLVM takes no function for one of the C library
SHIFTS: dict[type[ast.operator], str] = {ast.LShift: "shl", ast.RShift: "ashr"}


def check_fields(program: Program, layout: Layout, call_fields: Sequence[str], files: Collection[str]) -> None:
    """Raise LinkError for an unknown field, a struct used as a number, or a number used as a struct.

    It is looked for in the functions of these files and in what calls them; the rest is as it comes with vmacheck.
    """
    flat, functions = Flat(layout, call_fields), list(program.functions.values())
    own = {function.name for function in functions if function.file in files}
    known, fields = signatures(flat, functions), dict[str, int]()
    for name, signature in known.items():
        if name in own or signature.function.calls() & own:
            _Emitter(flat, signature, known, program.constants, fields).text(outside=False)


def assembly(flat: Flat, functions: Sequence[Function], constants: Mapping[str, int], entries: Collection[str]) -> str:
    """The assembly of a module with the functions, of which only the entries can be called from outside.

    Raises LinkError for faults that only show here, such as using the value of a function that returns nothing.
    """
    known = signatures(flat, functions)
    texts = ['!0 = !{!"branch_weights", i32 1000, i32 1}', "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"]
    fields: dict[str, int] = {}
    texts += [_Emitter(flat, s, known, constants, fields).text(name in entries) for name, s in known.items()]
    texts += ['!1 = !{!"fields"}', *(field_metadata(name, number) for name, number in fields.items())]
    return "\n\n".join(texts)


class _Emitter:
    """One function. A value is the text of an LLVM operand of type i64."""

    def __init__(
        self,
        flat: Flat,
        signature: Signature,
        known: Mapping[str, Signature],
        constants: Mapping[str, int],
        fields: dict[str, int],
    ) -> None:
        self.fields = fields  # numbers of their metadata, by name; the same for all functions
        self.flat, self.signature, self.known, self.constants = flat, signature, known, constants
        self.lines: list[str] = []
        self.temporaries, self.labels = count(1), count(1)
        self.loops: list[tuple[str, str]] = []
        self.slots: list[str] = []

    def text(self, outside: bool) -> str:
        """The definition."""
        function, signature = self.signature.function, self.signature
        is_ours = any(argument.annotation for argument in function.node.args.args)  # of the search loop
        node = function.node if is_ours else with_guards(function)
        parameters = []
        # arrays are apart from each other; but a patch may hand the same state over twice
        separate = is_ours or list(signature.arrays.values()).count("state") < 2
        for name, width in signature.arrays.items():
            parameters.append(f"ptr {'noalias ' if separate else ''}%p.{name}" if width else f"i64 %p.{name}")
            if not width:
                self.store_local(name, f"%p.{name}")
        self.block(body(node))
        self.emit("ret i64 0" if signature.gives_value else "ret void")
        head = "define" if outside else "define internal"
        allocas = [f"  %v.{name} = alloca i64" for name in self.slots]
        allocas += [f"  store i64 0, ptr %v.{name}" for name in self.slots]
        apart = " noinline" if function.name in APART and sum(1 for _ in ast.walk(node)) > SMALL else ""
        name = function.name if outside else f"{PREFIX}{function.name}"
        first = f"{head} {signature.result} @{name}({', '.join(parameters)}) nounwind{apart}"
        return "\n".join([f"{first} {{", "entry:", *allocas, *self.lines, "}"])

    # ---- output ----------------------------------------------------------------------------------

    def emit(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def value(self, line: str) -> str:
        """Emit an instruction with a result."""
        name = f"%t{next(self.temporaries)}"
        self.emit(f"{name} = {line}")
        return name

    def label(self) -> str:
        return f"l{next(self.labels)}"

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def local(self, name: str) -> str:
        if name not in self.slots:
            self.slots.append(name)
        return f"%v.{name}"

    def set_local(self, node: ast.Name, value: str) -> None:
        if self.signature.arrays.get(node.id):
            raise self.error(node, f"{node.id} is a struct and cannot be given another value")
        self.store_local(node.id, value)

    def store_local(self, name: str, value: str) -> None:
        self.emit(f"store i64 {value}, ptr {self.local(name)}")

    # ---- statements ------------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            getattr(self, f"do_{type(statement).__name__}")(statement)

    def do_Pass(self, _node: ast.Pass) -> None:
        """Nothing."""

    def do_Return(self, node: ast.Return) -> None:
        self.emit("ret void" if node.value is None else f"ret i64 {self.number(node.value)}")
        self.start(self.label())

    def do_Expr(self, node: ast.Expr) -> None:
        assert isinstance(node.value, ast.Call)
        self.call(node.value, needs_value=False)

    def do_Assign(self, node: ast.Assign) -> None:
        self.assign(node.targets[0], node.value)

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        current: ast.expr = ast.copy_location(ast.parse(ast.unparse(node.target), mode="eval").body, node)
        self.assign(node.target, ast.copy_location(ast.BinOp(current, node.op, node.value), node))

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute):
            self.copy_struct(target, value)
        elif isinstance(target, ast.Name):
            self.set_local(target, self.number(value))
        else:
            number = self.number(value)
            self.store(number, *self.place(target))

    def copy_struct(self, target: ast.Subscript, source: ast.expr) -> None:
        if not (isinstance(source, ast.Subscript) and isinstance(source.value, ast.Attribute)):
            raise self.error(target, "a struct can only be assigned from a struct")
        assert isinstance(target.value, ast.Attribute)
        array = self.flat.arrays[target.value.attr]
        assert isinstance(source.value, ast.Attribute)
        if source.value.attr != target.value.attr:
            raise self.error(target, f"a slot of {source.value.attr} is not one of {target.value.attr}")
        start, to = self.struct(source), self.struct(target)
        names = [f"{array.name}.{field.name}" for field in array.fields]
        values = [self.load(self.offset(start, str(i), "i32"), "i32", name) for i, name in enumerate(names)]
        for i, (value, name) in enumerate(zip(values, names, strict=True)):
            self.store(value, self.offset(to, str(i), "i32"), "i32", name)

    def do_If(self, node: ast.If) -> None:
        then, other, end = self.label(), self.label(), self.label()
        self.branch(node.test, then, other)
        self.start(then)
        self.block(node.body)
        self.emit(f"br label %{end}")
        self.start(other)
        self.block(node.orelse)
        self.emit(f"br label %{end}")
        self.start(end)

    def do_While(self, node: ast.While) -> None:
        test, inside, end = self.label(), self.label(), self.label()
        self.emit(f"br label %{test}")
        self.start(test)
        self.branch(node.test, inside, end)
        self.start(inside)
        self.loops.append((test, end))
        self.block(node.body)
        self.loops.pop()
        self.emit(f"br label %{test}")
        self.start(end)

    def do_For(self, node: ast.For) -> None:
        """`for name in range(...)`: the counter is kept apart from name, which the body may change."""
        assert isinstance(node.iter, ast.Call)
        assert isinstance(node.target, ast.Name)
        arguments = [self.number(argument) for argument in node.iter.args]
        first, last = (arguments[0], arguments[1]) if len(arguments) > 1 else ("0", arguments[0])
        step = arguments[2] if len(arguments) > 2 else "1"
        counter = f"for.{next(self.temporaries)}"
        self.store_local(counter, first)
        test, inside, more, end = (self.label() for _ in range(4))
        self.emit(f"br label %{test}")
        self.start(test)
        current = self.value(f"load i64, ptr %v.{counter}")
        going = self.value(f"icmp {'sgt' if step.startswith('-') else 'slt'} i64 {current}, {last}")
        self.emit(f"br i1 {going}, label %{inside}, label %{end}")
        self.start(inside)
        self.set_local(node.target, current)
        self.loops.append((more, end))
        self.block(node.body)
        self.loops.pop()
        self.emit(f"br label %{more}")
        self.start(more)
        self.store_local(counter, self.value(f"add i64 {self.value(f'load i64, ptr %v.{counter}')}, {step}"))
        self.emit(f"br label %{test}")
        self.start(end)

    def do_Break(self, _node: ast.Break) -> None:
        self.emit(f"br label %{self.loops[-1][1]}")
        self.start(self.label())

    def do_Continue(self, _node: ast.Continue) -> None:
        self.emit(f"br label %{self.loops[-1][0]}")
        self.start(self.label())

    # ---- expressions -----------------------------------------------------------------------------

    def number(self, node: ast.expr) -> str:
        """The value of an expression."""
        if isinstance(node, ast.Constant):
            return str(int(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.Attribute | ast.Subscript):
            return self.load(*self.place(node))
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node)
        if isinstance(node, ast.BoolOp):
            return self.boolean(node)
        if isinstance(node, ast.Compare):
            return self.value(f"zext i1 {self.comparison(node)} to i64")
        if isinstance(node, ast.IfExp):
            return self.choice(node)
        assert isinstance(node, ast.Call)
        return self.call(node, needs_value=True)

    def name(self, node: ast.Name) -> str:
        if node.id in self.constants and node.id not in self.slots:
            return str(self.constants[node.id])
        if self.signature.arrays.get(node.id):
            raise self.error(node, f"{node.id} is a struct and has no value of its own")
        return self.value(f"load i64, ptr {self.local(node.id)}")

    def binary(self, node: ast.BinOp) -> str:
        left, right = self.number(node.left), self.number(node.right)
        if (operation := ARITHMETIC.get(type(node.op))) is not None:
            return self.value(f"{operation} i64 {left}, {right}")
        return self.value(f"{SHIFTS[type(node.op)]} i64 {left}, {right}")

    def unary(self, node: ast.UnaryOp) -> str:
        value = self.number(node.operand)
        if isinstance(node.op, ast.Not):
            return self.value(f"zext i1 {self.value(f'icmp eq i64 {value}, 0')} to i64")
        if isinstance(node.op, ast.USub):
            return f"-{value}" if value.isdigit() else self.value(f"sub i64 0, {value}")
        return self.value(f"xor i64 {value}, -1") if isinstance(node.op, ast.Invert) else value

    def boolean(self, node: ast.BoolOp) -> str:
        """`and`, `or`: the first operand that decides, else the last; later ones are not evaluated."""
        result, end = f"bool.{next(self.temporaries)}", self.label()
        for operand in node.values[:-1]:
            value = self.number(operand)
            self.store_local(result, value)
            following = self.label()
            decided = self.value(f"icmp {'eq' if isinstance(node.op, ast.And) else 'ne'} i64 {value}, 0")
            self.emit(f"br i1 {decided}, label %{end}, label %{following}")
            self.start(following)
        self.store_local(result, self.number(node.values[-1]))
        self.emit(f"br label %{end}")
        self.start(end)
        return self.value(f"load i64, ptr %v.{result}")

    def comparison(self, node: ast.Compare) -> str:
        """An i1. In a chain, nothing after a false comparison is evaluated."""
        left, right = self.number(node.left), self.number(node.comparators[0])
        truth = self.value(f"icmp {COMPARISONS[type(node.ops[0])]} i64 {left}, {right}")
        if len(node.ops) == 1:
            return truth
        result, end = f"chain.{next(self.temporaries)}", self.label()
        for operator, comparator in zip(node.ops[1:], node.comparators[1:], strict=True):
            self.store_local(result, self.value(f"zext i1 {truth} to i64"))
            following = self.label()
            self.emit(f"br i1 {truth}, label %{following}, label %{end}")
            self.start(following)
            left, right = right, self.number(comparator)
            truth = self.value(f"icmp {COMPARISONS[type(operator)]} i64 {left}, {right}")
        self.store_local(result, self.value(f"zext i1 {truth} to i64"))
        self.emit(f"br label %{end}")
        self.start(end)
        return self.value(f"icmp ne i64 {self.value(f'load i64, ptr %v.{result}')}, 0")

    def choice(self, node: ast.IfExp) -> str:
        result = f"if.{next(self.temporaries)}"
        then, other, end = self.label(), self.label(), self.label()
        self.branch(node.test, then, other)
        for label, value in ((then, node.body), (other, node.orelse)):
            self.start(label)
            self.store_local(result, self.number(value))
            self.emit(f"br label %{end}")
        self.start(end)
        return self.value(f"load i64, ptr %v.{result}")

    def truth(self, test: ast.expr) -> str:
        """A comparison or a number as an i1; plain expressions joined by `and` or `or` without a branch."""
        if isinstance(test, ast.BoolOp):
            truth, *others = [self.truth(operand) for operand in test.values]
            for other in others:
                truth = self.value(f"{'and' if isinstance(test.op, ast.And) else 'or'} i1 {truth}, {other}")
            return truth
        if isinstance(test, ast.Compare):
            return self.comparison(test)
        return self.value(f"icmp ne i64 {self.number(test)}, 0")

    def branch(self, test: ast.expr, then: str, other: str) -> None:
        if isinstance(test, ast.BoolOp):
            if is_plain(test, self.known):
                self.emit(f"br i1 {self.truth(test)}, label %{then}, label %{other}")
                return
            for operand in test.values[:-1]:
                following = self.label()
                targets = (following, other) if isinstance(test.op, ast.And) else (then, following)
                self.branch(operand, *targets)
                self.start(following)
            self.branch(test.values[-1], then, other)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self.branch(test.operand, other, then)
        else:
            self.emit(f"br i1 {self.truth(test)}, label %{then}, label %{other}")

    def call(self, node: ast.Call, needs_value: bool) -> str:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "__more__":
            return self.more(node.args[0])
        if name == "__field__":
            return self.checked(node.args[0], self.number(node.args[1]))
        if name == "prefetch":
            base, width = self.named_array(node.args[0])
            place = self.offset(base, self.number(node.args[1]), width)
            self.emit(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 3, i32 1)")
            return "0"
        if name == "lshr":
            return self.value(f"lshr i64 {self.number(node.args[0])}, {self.number(node.args[1])}")
        signature = self.known[name]
        if needs_value and not signature.gives_value:
            raise self.error(node, f"{name} returns nothing")
        arguments = [
            f"ptr {self.array(argument)}" if width else f"i64 {self.number(argument)}"
            for argument, width in zip(node.args, signature.arrays.values(), strict=True)
        ]
        line = f"call {signature.result} @{PREFIX}{name}({', '.join(arguments)})"
        if not signature.gives_value:
            self.emit(line)
            return "0"
        return self.value(line)

    def more(self, state: ast.expr) -> str:
        """One more round of a loop: 1, or after too many rounds 0, and the kernel stops."""
        if not isinstance(state, ast.Name) or self.signature.arrays[state.id] != "state":
            raise self.error(state, "the first parameter of a function with a loop has to be the state")
        pointer = self.array(state)
        fuel = self.offset(pointer, str(self.flat.numbers["fuel"]), "i32")
        left = self.value(f"sub i64 {self.load(fuel, 'i32', '.fuel')}, 1")
        self.store(left, fuel, "i32", ".fuel")
        good = self.value(f"icmp sgt i64 {left}, 0")
        self.stop_unless(good, pointer)
        return self.value(f"zext i1 {good} to i64")

    def checked(self, state: ast.expr, value: str) -> str:
        """The value, if it fits into a field; else the kernel stops."""
        if not isinstance(state, ast.Name) or self.signature.arrays[state.id] != "state":
            raise self.error(state, "only fields of the state can be assigned to")
        narrow = self.value(f"trunc i64 {value} to i32")
        same = self.value(f"icmp eq i64 {self.value(f'sext i32 {narrow} to i64')}, {value}")
        self.stop_unless(same, self.array(state))
        return value

    def stop_unless(self, good: str, state: str) -> str:
        """Stop the kernel unless `good`, an i1, is true; control goes on. Returns the block it then comes from."""
        bad, end = self.label(), self.label()
        self.emit(f"br i1 {good}, label %{end}, label %{bad}, !prof !0")
        self.start(bad)
        self.store("1", self.offset(state, str(self.flat.numbers["oops"]), "i32"), "i32", ".oops")
        self.emit(f"br label %{end}")
        self.start(end)
        return bad

    # ---- memory ----------------------------------------------------------------------------------

    def array(self, node: ast.expr) -> str:
        """The pointer that an argument stands for."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "at":
            base, width = self.named_array(node.args[0])
            return self.offset(base, self.number(node.args[1]), width)
        return self.named_array(node)[0]

    def named_array(self, node: ast.expr) -> tuple[str, str]:
        if not isinstance(node, ast.Name) or not self.signature.arrays.get(node.id):
            raise self.error(node, "a state or a call is needed here")
        width = self.signature.arrays[node.id]
        return f"%p.{node.id}", "i32" if width in STRUCTS else width

    def place(self, node: ast.expr) -> tuple[str, str, str]:
        """The address of a field or an element, its width, and which field it is."""
        if isinstance(node, ast.Subscript):
            base, width = self.named_array(node.value)
            return self.offset(base, self.number(node.slice), width), width, ""
        assert isinstance(node, ast.Attribute)
        if isinstance(node.value, ast.Subscript):
            assert isinstance(node.value.value, ast.Attribute)
            names = [field.name for field in self.flat.arrays[self.array_name(node.value)].fields]
            if node.attr not in names:
                raise self.error(node, f"a slot of {node.value.value.attr} has no field {node.attr}")
            place = self.offset(self.struct(node.value), str(names.index(node.attr)), "i32")
            return place, "i32", f"{self.array_name(node.value)}.{node.attr}"
        if node.attr not in self.flat.numbers:
            raise self.error(node, f"no field {node.attr}")
        base, _ = self.named_array(node.value)
        return self.offset(base, str(self.flat.numbers[node.attr]), "i32"), "i32", f".{node.attr}"

    def array_name(self, node: ast.Subscript) -> str:
        assert isinstance(node.value, ast.Attribute)
        if node.value.attr not in self.flat.arrays:
            raise self.error(node, f"no array {node.value.attr}")
        return node.value.attr

    def struct(self, node: ast.Subscript) -> str:
        """The address of state.array[slot]. A slot outside the array stops the kernel, and another is used instead."""
        assert isinstance(node.value, ast.Attribute)
        array = self.flat.arrays[self.array_name(node)]
        state, _ = self.named_array(node.value.value)
        last = array.last + array.spare
        slot = self.number(node.slice)
        if not (slot.isdigit() and array.first <= int(slot) <= last):
            slot = self.guarded(slot, array.first, last, state)
        offset = self.value(f"mul i64 {slot}, {len(array.fields)}")
        return self.offset(state, self.value(f"add i64 {offset}, {self.flat.bases[array.name]}"), "i32")

    def guarded(self, slot: str, first: int, last: int, state: str) -> str:
        """The slot if it is in first..last; else first, and the kernel stops."""
        here = self.label()
        self.emit(f"br label %{here}")
        self.start(here)
        above = self.value(f"sub i64 {slot}, {first}")
        good = self.value(f"icmp ult i64 {above}, {last - first + 1}")
        bad = self.stop_unless(good, state)
        return self.value(f"phi i64 [ {slot}, %{here} ], [ {first}, %{bad} ]")

    def offset(self, pointer: str, index: str, width: str) -> str:
        return self.value(f"getelementptr i{width[1:]}, ptr {pointer}, i64 {index}")

    def load(self, pointer: str, width: str, field: str = "") -> str:
        bits = width[1:]
        value = self.value(f"load i{bits}, ptr {pointer}{self.metadata(field)}")
        return value if bits == "64" else self.value(f"{'zext' if width[0] == 'u' else 'sext'} i{bits} {value} to i64")

    def store(self, value: str, pointer: str, width: str, field: str = "") -> None:
        bits = width[1:]
        if bits != "64":
            value = self.value(f"trunc i64 {value} to i{bits}")
        self.emit(f"store i{bits} {value}, ptr {pointer}{self.metadata(field)}")

    def metadata(self, field: str) -> str:
        return f", !tbaa !{self.fields.setdefault(field, 2 * len(self.fields) + 2)}" if field else ""

    def error(self, node: ast.AST, why: str) -> LinkError:
        function = self.signature.function
        return LinkError(f"{function.file}:{getattr(node, 'lineno', function.node.lineno)}: {function.name}: {why}")

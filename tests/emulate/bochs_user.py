# SPDX-License-Identifier: MIT
"""Runs a single-threaded x86-64 Linux program on the CPU of Bochs (PyPI: bochscpu-python).

A small user-mode emulation, so that AVX-512 code can be proven on a machine that has none. The program is an ordinary
dynamic executable, with the ordinary loader and libraries. It runs in ring 0 of the emulated CPU; SYSCALL jumps to a stub
whose first instruction is undefined, Bochs reports the exception, and this file answers the call, mostly with the host's own.

What a test program needs is here: files, malloc, mmap and mprotect (guard pages), clocks. There are no threads, no forks
and no signals: such calls fail with ENOSYS. A fault of the program (page fault, misaligned access, an instruction that the
model lacks) ends the run with a message and the exit status a shell would give, 139 or 132.

Usage, through the script `bochs` beside this file: bochs MODEL [-E NAME=VALUE]... PROGRAM [ARGUMENT]...
BOCHS_TRACE=1 prints every system call.
"""
import ctypes
import os
import struct
import sys

import bochscpu
import bochscpu.cpu
import bochscpu.memory

PAGE = 4096
READ, WRITE, EXEC = 1, 2, 4  # the bits of PROT_*

EFAULT, ENOMEM, EINVAL, ENOTTY, ENOSYS = 14, 12, 22, 25, 38
SIGILL, SIGSEGV = 4, 11

MMAP_TOP = 0x7F0000000000
LOADER_BASE = 0x7F8000000000
STACK_TOP = 0x7FFFFF000000
STACK_SIZE = 1 << 20
PROGRAM_BASE = 0x555555554000
SYSCALL_STUB = 0x7FFFFFFEF000

# ud2; mov r11, cr3; mov cr3, r11; jmp rcx.  The call is answered at the ud2. The program goes on at rcx, or, when mappings
# were taken away, at the second instruction first: loading cr3 makes the CPU forget the translations it remembers.
STUB_CODE = bytes.fromhex("0f0b 410f20db 410f22db ffe1")
STUB_RELOAD = SYSCALL_STUB + 2

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.syscall.restype = ctypes.c_long


def page_down(address):
    return address & -PAGE


def page_up(address):
    return (address + PAGE - 1) & -PAGE


def host_syscall(number, *arguments):
    """The host's answer, in the kernel's convention: a negative number is an error."""
    result = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *arguments)])
    return -ctypes.get_errno() if result == -1 else result


class Memory:
    """The program's address space: host pages, given to Bochs as physical pages, and page tables in front of them."""

    def __init__(self):
        self.frames = {}  # virtual page -> (host address, physical address)
        self.protection = {}  # virtual page -> PROT_ bits
        self.free = []  # frames to use again; never those that held code, which the CPU may still remember
        self.tables = {}  # physical address of a page table -> its 512 entries
        self.next_physical = 0x100000
        self.mmap_top = MMAP_TOP
        self.stale = False  # the CPU may remember a translation that is gone
        self.root = self._new_table()

    def _host_pages(self, count):
        address = libc.mmap(None, count * PAGE, READ | WRITE, 0x22, -1, 0)  # MAP_PRIVATE | MAP_ANONYMOUS
        if address in (None, 2**64 - 1):
            raise MemoryError
        return address

    def _physical(self, host):
        physical = self.next_physical
        self.next_physical += PAGE
        bochscpu.memory.page_insert(physical, host)
        return physical

    def _new_table(self):
        host = self._host_pages(1)
        physical = self._physical(host)
        self.tables[physical] = (ctypes.c_uint64 * 512).from_address(host)
        return physical

    def _set_entry(self, page, entry):
        table = self.tables[self.root]
        for shift in (39, 30, 21):
            index = page >> shift & 511
            if not table[index]:
                if not entry:
                    return
                table[index] = self._new_table() | 7  # present, writable, user
            table = self.tables[table[index] & -PAGE]
        table[page >> 12 & 511] = entry

    def _enter(self, page):
        protection = self.protection[page]
        entry = 0
        if protection:
            entry = self.frames[page][1] | 1 | 4  # present, user
            entry |= 2 if protection & WRITE else 0
            entry |= 0 if protection & EXEC else 1 << 63
        self._set_entry(page, entry)

    def map(self, address, length, protection):
        self.unmap(address, length)
        pages = range(address, page_up(address + length), PAGE)
        fresh = len(pages) - len(self.free)
        if fresh > 0:
            host = self._host_pages(fresh)
            self.free += [(host + i * PAGE, self._physical(host + i * PAGE)) for i in reversed(range(fresh))]
        for page in pages:
            frame = self.free.pop()
            ctypes.memset(frame[0], 0, PAGE)
            self.frames[page] = frame
            self.protection[page] = protection
            self._enter(page)

    def unmap(self, address, length):
        for page in range(page_down(address), page_up(address + length), PAGE):
            if page in self.frames:
                frame = self.frames.pop(page)
                if not self.protection.pop(page) & EXEC:
                    self.free.append(frame)
                self._set_entry(page, 0)
                self.stale = True

    def protect(self, address, length, protection):
        pages = range(address, page_up(address + length), PAGE)
        if any(page not in self.frames for page in pages):
            return -ENOMEM
        for page in pages:
            self.protection[page] = protection
            self._enter(page)
        self.stale = True
        return 0

    def unused(self, length):
        """An address for `length` bytes, with a hole behind each mapping: what runs over its end is caught."""
        self.mmap_top -= page_up(length) + PAGE
        return self.mmap_top

    def _pieces(self, address, length):
        while length:
            offset = address % PAGE
            size = min(PAGE - offset, length)
            frame = self.frames.get(address - offset)
            if frame is None:
                raise BadAddress
            yield frame[0] + offset, size
            address += size
            length -= size

    def read(self, address, length):
        return b"".join(ctypes.string_at(host, size) for host, size in self._pieces(address, length))

    def write(self, address, data):
        done = 0
        for host, size in self._pieces(address, len(data)):
            ctypes.memmove(host, data[done : done + size], size)
            done += size

    def text(self, address):
        """The string at an address, with its zero."""
        found = b""
        while b"\0" not in found:
            size = PAGE - address % PAGE
            found += self.read(address, size)
            address += size
        return found[: found.index(b"\0") + 1]


class BadAddress(Exception):
    """The program gave a system call a pointer to nothing."""


class Exit(Exception):
    """The program ended; the argument is its exit status."""


class Image:
    """An ELF file, loaded."""

    def __init__(self, memory, path, base):
        with open(path, "rb") as file:
            data = file.read()
        if data[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", data, 18)[0] != 62:
            sys.exit(f"bochs: {path}: not an x86-64 program")
        (kind,) = struct.unpack_from("<H", data, 16)
        entry, header_offset = struct.unpack_from("<QQ", data, 24)
        (self.header_count,) = struct.unpack_from("<H", data, 56)
        self.base = 0 if kind == 2 else base  # 2: not position-independent
        self.entry = self.base + entry
        self.interpreter = None
        self.headers = 0
        self.end = 0
        for i in range(self.header_count):
            kind, flags, offset, address, _, file_size, memory_size, _ = struct.unpack_from(
                "<IIQQQQQQ", data, header_offset + 56 * i
            )
            address += self.base
            if kind == 3:  # PT_INTERP
                self.interpreter = data[offset : offset + file_size - 1].decode()
            elif kind == 6:  # PT_PHDR
                self.headers = address
            elif kind == 1:  # PT_LOAD
                self._load(memory, address, memory_size, data[offset : offset + file_size], flags)
                if offset == 0 and not self.headers:
                    self.headers = address + header_offset
        self.end = page_up(self.end)

    def _load(self, memory, address, size, data, flags):
        first = page_down(address)
        for page in range(first, address + size, PAGE):
            if page not in memory.frames:  # segments may share a page
                memory.map(page, PAGE, READ | WRITE)
        memory.write(address, data)
        protection = (READ if flags & 4 else 0) | (WRITE if flags & 2 else 0) | (EXEC if flags & 1 else 0)
        memory.protect(first, address + size - first, protection)
        self.end = max(self.end, address + size)


def make_stack(memory, arguments, environment, auxiliary):
    """Maps the stack as a new process finds it: argc, argv, environment, auxiliary vector. Returns the stack pointer."""
    memory.map(STACK_TOP - STACK_SIZE, STACK_SIZE, READ | WRITE)
    top = STACK_TOP - 64

    def push(data):
        nonlocal top
        top -= len(data)
        memory.write(top, data)
        return top

    argv = [push(os.fsencode(a) + b"\0") for a in arguments]
    envp = [push(os.fsencode(f"{name}={value}") + b"\0") for name, value in environment.items()]
    at_random, at_platform, at_execfn = 25, 15, 31
    auxiliary = auxiliary + [
        (at_random, push(os.urandom(16))),
        (at_platform, push(b"x86_64\0")),
        (at_execfn, argv[0]),
        (0, 0),
    ]
    words = [len(argv), *argv, 0, *envp, 0, *(word for pair in auxiliary for word in pair)]
    top = (top - 8 * len(words)) & -64
    memory.write(top, struct.pack(f"<{len(words)}Q", *words))
    return top


class Kernel:
    """The system calls. A method named sys_NAME takes the six argument registers, signed."""

    NAMES = {
        0: "read", 1: "write", 2: "open", 3: "close", 4: "stat", 5: "fstat", 8: "lseek", 9: "mmap", 10: "mprotect",
        11: "munmap", 12: "brk", 13: "accept", 14: "accept", 16: "ioctl", 17: "pread", 20: "writev", 21: "access",
        24: "accept", 28: "accept", 32: "dup", 35: "accept", 39: "getpid", 60: "exit", 62: "kill", 63: "uname",
        72: "fcntl", 77: "ftruncate", 79: "getcwd", 87: "unlink", 89: "readlink", 102: "getid", 104: "getid",
        107: "getid", 108: "getid", 131: "accept", 158: "arch_prctl", 186: "getpid", 200: "kill", 202: "accept",
        203: "accept", 204: "getaffinity", 217: "getdents", 218: "getpid", 228: "gettime", 230: "accept", 231: "exit",
        234: "tgkill", 257: "openat", 262: "fstatat", 269: "faccessat", 273: "accept", 302: "prlimit", 318: "getrandom",
        439: "faccessat",
    }  # fmt: skip
    AT_FDCWD = -100

    def __init__(self, memory, cpu, heap):
        self.memory = memory
        self.cpu = cpu
        self.heap_start = self.heap_end = heap
        self.trace = bool(os.environ.get("BOCHS_TRACE"))

    def answer(self, number, registers):
        arguments = [r - 2**64 if r >> 63 else r for r in registers]
        name = self.NAMES.get(number)
        try:
            if name is None:
                result = -ENOSYS
            elif name in ("accept", "getid"):
                result = getattr(self, "sys_" + name)(number)
            else:
                result = getattr(self, "sys_" + name)(*arguments)
        except BadAddress:
            result = -EFAULT
        if self.trace:
            words = ", ".join(f"{r:#x}" for r in registers)
            print(f"bochs: {name or number}({words}) = {result:#x}", file=sys.stderr)
        return result & (2**64 - 1)

    def _into(self, address, size, call):
        """A call that fills a buffer: what `call` wrote goes to the program's memory."""
        buffer = ctypes.create_string_buffer(max(size, 1))
        result = call(buffer)
        if result >= 0:
            self.memory.write(address, buffer.raw[:size])
        return result

    # Accepted and without effect: signals, sleeping, madvise, futex, affinity, robust lists.
    def sys_accept(self, number):
        return 0

    def sys_getid(self, number):
        return host_syscall(number)

    # Files

    def sys_read(self, file, address, size, *_):
        buffer = ctypes.create_string_buffer(max(size, 1))
        result = host_syscall(0, file, buffer, size)
        if result > 0:
            self.memory.write(address, buffer.raw[:result])
        return result

    def sys_pread(self, file, address, size, offset, *_):
        buffer = ctypes.create_string_buffer(max(size, 1))
        result = host_syscall(17, file, buffer, size, offset)
        if result > 0:
            self.memory.write(address, buffer.raw[:result])
        return result

    def sys_write(self, file, address, size, *_):
        return host_syscall(1, file, self.memory.read(address, size), size)

    def sys_writev(self, file, vector, count, *_):
        pairs = [struct.unpack("<QQ", self.memory.read(vector + 16 * i, 16)) for i in range(count)]
        data = b"".join(self.memory.read(address, size) for address, size in pairs)
        return host_syscall(1, file, data, len(data))

    def sys_open(self, path, flags, mode, *_):
        return self.sys_openat(self.AT_FDCWD, path, flags, mode)

    def sys_openat(self, directory, path, flags, mode, *_):
        return host_syscall(257, directory, self.memory.text(path), flags, mode)

    def sys_close(self, file, *_):
        return host_syscall(3, file)

    def sys_lseek(self, file, offset, whence, *_):
        return host_syscall(8, file, offset, whence)

    def sys_dup(self, file, *_):
        return host_syscall(32, file)

    def sys_fcntl(self, file, command, argument, *_):
        return host_syscall(72, file, command, argument)

    def sys_ftruncate(self, file, size, *_):
        return host_syscall(77, file, size)

    def sys_ioctl(self, *_):
        return -ENOTTY

    def sys_stat(self, path, address, *_):
        return self.sys_fstatat(self.AT_FDCWD, path, address, 0)

    def sys_fstat(self, file, address, *_):
        return self._into(address, 144, lambda b: host_syscall(5, file, b))

    def sys_fstatat(self, directory, path, address, flags, *_):
        return self._into(address, 144, lambda b: host_syscall(262, directory, self.memory.text(path), b, flags))

    def sys_access(self, path, mode, *_):
        return host_syscall(21, self.memory.text(path), mode)

    def sys_faccessat(self, directory, path, mode, *_):
        return host_syscall(269, directory, self.memory.text(path), mode)

    def sys_readlink(self, path, address, size, *_):
        return self._into(address, size, lambda b: host_syscall(89, self.memory.text(path), b, size))

    def sys_getdents(self, file, address, size, *_):
        return self._into(address, size, lambda b: host_syscall(217, file, b, size))

    def sys_getcwd(self, address, size, *_):
        return self._into(address, size, lambda b: host_syscall(79, b, size))

    def sys_unlink(self, path, *_):
        return host_syscall(87, self.memory.text(path))

    # Memory

    def sys_mmap(self, address, length, protection, flags, file, offset):
        map_fixed, map_anonymous = 0x10, 0x20
        if not flags & map_fixed:
            address = self.memory.unused(length)
        self.memory.map(address, length, protection & 7)
        if not flags & map_anonymous:
            self.memory.write(address, os.pread(file, length, offset))
        return address

    def sys_mprotect(self, address, length, protection, *_):
        return self.memory.protect(address, length, protection & 7)

    def sys_munmap(self, address, length, *_):
        self.memory.unmap(address, length)
        return 0

    def sys_brk(self, end, *_):
        if end >= self.heap_start:
            mapped = page_up(self.heap_end)
            if page_up(end) > mapped:
                self.memory.map(mapped, page_up(end) - mapped, READ | WRITE)
            self.heap_end = end
        return self.heap_end

    # The process and the machine

    def sys_arch_prctl(self, code, address, *_):
        arch_set_fs = 0x1002
        if code != arch_set_fs:
            return -EINVAL
        segment = self.cpu.fs
        segment.base = address
        self.cpu.fs = segment
        return 0

    def sys_getpid(self, *_):
        return os.getpid()

    def sys_uname(self, address, *_):
        return self._into(address, 390, lambda b: host_syscall(63, b))

    def sys_getaffinity(self, process, size, address, *_):
        self.memory.write(address, struct.pack("<Q", 1))  # one CPU
        return 8

    def sys_gettime(self, clock, address, *_):
        return self._into(address, 16, lambda b: host_syscall(228, clock, b))

    def sys_getrandom(self, address, size, *_):
        self.memory.write(address, os.urandom(size))
        return size

    def sys_prlimit(self, process, resource, new, old, *_):
        return self._into(old, 16, lambda b: host_syscall(302, 0, resource, 0, b)) if old else 0

    def sys_exit(self, status, *_):
        raise Exit(status & 255)

    def _signal(self, signal):
        print(f"bochs: the program raised signal {signal}", file=sys.stderr)
        raise Exit(128 + (signal & 127))

    def sys_kill(self, process, signal, *_):
        self._signal(signal)

    def sys_tgkill(self, group, thread, signal, *_):
        self._signal(signal)


def extended_state(model):
    """What an operating system would enable in XCR0 on that CPU: 0 for no XSAVE at all, else x87, SSE, AVX, AVX-512."""
    if any(word in model for word in ("lynnfield", "penryn", "phenom", "core2")):
        return 0
    if any(word in model for word in ("skylake_x", "icelake", "tigerlake", "cnl", "rapids")):
        return 0xE7
    return 0x07


def segment(selector, is_code):
    flags = bochscpu.cpu.SegmentFlags()
    for name in ("P", "S", "W", "R", "A", "G") + (("E", "L") if is_code else ()):
        if hasattr(flags, name):
            setattr(flags, name, True)
    result = bochscpu.Segment()
    result.base = 0
    result.limit = 0xFFFFFFFF
    result.selector = selector
    result.attr = int(flags)
    result.present = True
    return result


def initial_state(root, start, stack, model):
    """The CPU as the program's first instruction finds it, in 64-bit mode."""
    state = bochscpu.State()
    bochscpu.cpu.set_long_mode(state)
    xcr0 = extended_state(model)
    state.cr0 |= 1 << 16  # WP: read-only pages are so in ring 0 as well
    state.cr3 = root
    state.cr4 |= 1 << 9 | 1 << 10 | (1 << 18 if xcr0 else 0)  # OSFXSR, OSXMMEXCPT, OSXSAVE
    state.xcr0 = xcr0 or 1
    state.mxcsr, state.mxcsr_mask = 0x1F80, 0xFFFF
    state.fpcw, state.fptw = 0x37F, 0xFFFF
    state.cs = segment(8, True)
    state.ss = state.ds = state.es = state.fs = state.gs = segment(16, False)
    state.star, state.lstar, state.sfmask = 8 << 32, SYSCALL_STUB, 0
    state.rflags = 2
    state.rip, state.rsp = start, stack
    return state


def run(arguments, environment, model):
    """Runs a program; returns its exit status."""
    memory = Memory()
    program = Image(memory, arguments[0], PROGRAM_BASE)
    start, loader_base = program.entry, 0
    if program.interpreter:
        loader = Image(memory, program.interpreter, LOADER_BASE)
        start, loader_base = loader.entry, loader.base
    auxiliary = [  # AT_PHDR, PHENT, PHNUM, PAGESZ, BASE, FLAGS, ENTRY, UID, EUID, GID, EGID, HWCAP, CLKTCK, SECURE
        (3, program.headers), (4, 56), (5, program.header_count), (6, PAGE), (7, loader_base), (8, 0),
        (9, program.entry), (11, 0), (12, 0), (13, 0), (14, 0), (16, 0), (17, 100), (23, 0),
    ]  # fmt: skip
    stack = make_stack(memory, arguments, environment, auxiliary)
    memory.map(SYSCALL_STUB, PAGE, READ | WRITE)
    memory.write(SYSCALL_STUB, STUB_CODE)
    memory.protect(SYSCALL_STUB, PAGE, READ | EXEC)

    session = bochscpu.Session()
    session.missing_page_handler = lambda physical: session.stop()
    session.cpu.state = initial_state(memory.root, start, stack, model)
    cpu = session.cpu
    kernel = Kernel(memory, cpu, program.end + 0x100000)

    exceptions = []
    hook = bochscpu.Hook()

    def on_exception(session, cpu_number, vector, error=0):
        exceptions.append(vector)
        session.stop()

    hook.exception = on_exception
    hooks = [hook]
    invalid_opcode = 6
    try:
        while True:
            exceptions.clear()
            session.run(hooks)
            vector = exceptions[0] if exceptions else None
            if vector == invalid_opcode and cpu.rip in (SYSCALL_STUB, STUB_RELOAD):
                registers = (cpu.rdi, cpu.rsi, cpu.rdx, cpu.r10, cpu.r8, cpu.r9)
                cpu.rax = kernel.answer(cpu.rax, registers)
                cpu.rip = STUB_RELOAD if memory.stale else cpu.rcx
                memory.stale = False
                continue
            here = memory.read(cpu.rip, 12).hex() if page_down(cpu.rip) in memory.frames else "unmapped"
            print(f"bochs: CPU exception {vector} at rip={cpu.rip:#x} cr2={cpu.cr2:#x} code={here}", file=sys.stderr)
            return 128 + (SIGILL if vector == invalid_opcode else SIGSEGV)
    except Exit as end:
        return end.args[0]


def main(arguments):
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("BOCHS_")}
    while arguments[:1] == ["-E"]:
        name, _, value = arguments[1].partition("=")
        environment[name] = value
        arguments = arguments[2:]
    return run(arguments, environment, os.environ["BOCHS_MODEL"])


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # without the farewell of the wheel's binding, which takes our callbacks for leaks

# SPDX-License-Identifier: MIT
"""libupsample itself, in the same frame as its peers: what it chooses by itself, through ctypes."""
from libupsample import Call, Library
from peer import Arm, from_layout, to_layout


class Peer:
    def __init__(self, threads, libupsample):
        self.library = Library(libupsample)
        self.parallel = self.library.parallel(threads)
        self.version = self.library.version

    def arm(self, case, layout):
        return self.arm_under(0, case, layout)

    def arm_under(self, policy, case, layout):
        """Policy 0: the library's default."""
        desc = self.library.descriptor(case.op, case.rank, layout, case.fields)
        indices = None if case.indices is None else to_layout(case.indices, layout)
        call = Call(self.library, desc, to_layout(case.x, layout), layout, case.weights, case.bias, indices,
                    parallel=self.parallel, policy=policy)

        def result():
            return from_layout(call.y, layout), None if call.indices is None else from_layout(call.indices, layout)

        arm = Arm(call.runner(), result, algorithm=call.told["algorithm"], form=call.told.get("form") or "", isa=call.told["isa"],
                  workspace_bytes=int(call.work.size), packed_bytes=call.told["packed_bytes"], macs=call.told["macs"])
        arm.close = call.close
        return arm

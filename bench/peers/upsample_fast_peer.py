# SPDX-License-Identifier: MIT
"""libupsample under its policy fast, where that takes another algorithm or form than the default does."""
from peer import NotOffered
from upsample_peer import Peer as Accurate

FAST = 2


class Peer(Accurate):
    layouts = ("first", "last")

    def arm(self, case, layout):
        if case.op != "conv_transpose":
            raise NotOffered("policies are of transposed convolution")
        fast, accurate = self.arm_under(FAST, case, layout), self.arm_under(0, case, layout)
        how = [tuple(arm.details[key] for key in ("algorithm", "form")) for arm in (fast, accurate)]
        accurate.close()
        if how[0] == how[1]:
            fast.close()
            raise NotOffered(f"{how[0][0]} under both policies")
        return fast

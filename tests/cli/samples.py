# SPDX-License-Identifier: Apache-2.0
"""Small traces made by hand, for the tests of the command."""

# 16 maps of 40 slots in 512: the 13th finds the pool full.
OPS = "P 512 4 1 7bc00000\nD 0 0 ffffffff ffffffffffffffff\n" + "".join(
    f"M {i} {i % 4} 0 {0x100000000 + i * 0x100000:x} 81920 0 2\n" for i in range(16)
)

HEADER = """# tracer: nop
#
# entries-in-buffer/entries-written: 100/100   #P:4
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
"""


def line(time, event, cpu=0, comm="kworker/0:1-42"):
    return f"{comm:>22}   [{cpu:03}] ..... {time:12.6f}: {event}\n"


def bounced(time, orig, size, dev="0000:00:02.0", cpu=0, mask="f" * 16, how="FORCE"):
    text = f"swiotlb_bounced: dev_name: {dev} dma_mask={mask} dev_addr={orig:x} size={size} {how}"
    return line(time, text, cpu)


def mapped(time, orig, tlb, size, dev="0000:00:02.0", cpu=0, dir="FROM_DEVICE", attrs=""):
    text = f"{dev} dir={dir} dma_addr={tlb:x} size={size} phys_addr={orig:x} attrs={attrs}"
    return line(time, "dma_map_page: " + text, cpu)


def unmapped(time, tlb, size, dev="0000:00:02.0", cpu=0, dir="FROM_DEVICE", attrs=""):
    text = f"{dev} dir={dir} dma_addr={tlb:x} size={size} attrs={attrs}"
    return line(time, "dma_unmap_page: " + text, cpu)


POOL = 0x7B100000


def ftrace(count=8, live=False, start=7.0):
    """`count` pages mapped in a row from POOL on, and unmapped unless `live`."""
    text = HEADER
    for i in range(count):
        time, orig = start + i / 1000, 0x1B37000 + i * 0x1000
        text += bounced(time, orig, 4096) + mapped(time, orig, POOL + i * 4096, 4096)
    for i in range(0 if live else count):
        text += unmapped(start + 1 + i / 1000, POOL + i * 4096, 4096)
    return text

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Records what bouncesim needs, on the machine in question: plain sh, root and tracefs are enough.
# One .tar.gz comes out, `bouncesim run` reads it. Every setting is put back, also after Ctrl-C.
# docs/recording.md describes the archive.
set -u
export LC_ALL=C

layout=1 # of the archive: raised when a member changes its meaning

usage() {
    cat <<'END'
usage: record-trace.sh [OPTION...]

Records the DMA mappings of this machine for `bouncesim run`, for 10 seconds or until Ctrl-C.

  -d, --duration SECONDS   how long; with --watch and --until-used: at most (default: no limit)
  -o, --output FILE        the archive (default recording-DATE-TIME.tar.gz)
  -b, --buffer SIZE        ring buffer of each CPU, such as 16M (default: up to 64M, as memory
                           allows)
  -w, --watch              until the kernel logs the next "swiotlb buffer is full"
  -u, --until-used MARK    until that many slots are in use, or that part of the pool: 30000, 90%
  -a, --after SECONDS      go on after that, to see what follows (default 1)
      --reset-hiwater      set the kernel's io_tlb_used_hiwater to 0 first
      --no-sync            without dma_sync_* events: fewer events, copies are counted too low
      --no-block           without block requests
      --clock NAME         trace clock (default mono)
      --tracefs DIR, --debugfs DIR, --sysfs DIR, --procfs DIR, --boot DIR
                           where these are, if not at their usual places
  -h, --help               show this
END
}

say() { echo "record-trace: $*" >&2; }

die() { say "$*"; exit 1; }
refuse() { say "$*"; exit 2; }

# ---- options ----

duration='' output='' buffer='' watch='' mark='' after=1 reset='' sync=1 block=1 clock=mono
tracefs='' debugfs=/sys/kernel/debug sysfs=/sys procfs=/proc boot=/boot
dmesg=${DMESG:-dmesg}

is_number() { # digits, perhaps with a fraction
    case $1 in
    '' | *[!0-9.]* | *.*.* | .) return 1 ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
    --*=*)
        word=$1
        shift
        set -- "${word%%=*}" "${word#*=}" "$@"
        continue
        ;;
    -d | --duration | -o | --output | -b | --buffer | -u | --until-used | -a | --after | --clock | \
        --tracefs | --debugfs | --sysfs | --procfs | --boot)
        [ $# -gt 1 ] || refuse "$1: a value was expected"
        case $1 in
        -d | --duration) duration=$2 ;;
        -o | --output) output=$2 ;;
        -b | --buffer) buffer=$2 ;;
        -u | --until-used) mark=$2 ;;
        -a | --after) after=$2 ;;
        --clock) clock=$2 ;;
        --tracefs) tracefs=$2 ;;
        --debugfs) debugfs=$2 ;;
        --sysfs) sysfs=$2 ;;
        --procfs) procfs=$2 ;;
        --boot) boot=$2 ;;
        esac
        shift
        ;;
    -w | --watch) watch=1 ;;
    --reset-hiwater) reset=1 ;;
    --no-sync) sync='' ;;
    --no-block) block='' ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) refuse "$1: no such option; --help shows them" ;;
    esac
    shift
done

[ -z "$duration" ] || is_number "$duration" || refuse "--duration $duration: seconds were expected"
is_number "$after" || refuse "--after $after: seconds were expected"
case $buffer in
'') ;;
*[!0-9KkMmGg]* | [!0-9]* | *[!0-9]?*) refuse "--buffer $buffer: a size such as 16M was expected" ;;
*[Kk]) buffer=${buffer%?} ;;
*[Mm]) buffer=$((${buffer%?} * 1024)) ;;
*[Gg]) buffer=$((${buffer%?} * 1048576)) ;;
*) buffer=$(((buffer + 1023) / 1024)) ;;
esac
[ "$buffer" != 0 ] || refuse "--buffer 0: a size such as 16M was expected"
case $mark in
'') ;;
*[!0-9%]* | %* | *%?*) refuse "--until-used $mark: slots or a percentage were expected" ;;
esac
[ -n "$duration$watch$mark" ] || duration=10
output=${output:-recording-$(date +%Y%m%d-%H%M%S).tar.gz}
[ ! -d "$output" ] || refuse "$output: is a directory; name the archive"
directory=$(dirname -- "$output")
[ -d "$directory" ] || refuse "$directory: no such directory"

# ---- what this machine has ----

[ -n "$tracefs" ] || [ "$(id -u)" = 0 ] || die "not root: run it with sudo"
if [ -z "$tracefs" ]; then
    tracefs=/sys/kernel/tracing
    [ -e "$tracefs/tracing_on" ] || [ ! -e /sys/kernel/debug/tracing/tracing_on ] ||
        tracefs=/sys/kernel/debug/tracing
fi
[ -e "$tracefs/tracing_on" ] ||
    die "no tracefs in $tracefs: mount -t tracefs tracefs /sys/kernel/tracing"
[ -w "$tracefs/tracing_on" ] || die "$tracefs: cannot write there; run it as root"
[ -e "$tracefs/events/swiotlb/swiotlb_bounced/enable" ] ||
    die "no event swiotlb:swiotlb_bounced: this kernel has no swiotlb, or no trace events"
counters=$debugfs/swiotlb
if [ ! -e "$counters/io_tlb_nslabs" ]; then
    [ -z "$mark" ] ||
        die "no $counters, which --until-used needs: mount -t debugfs debugfs $debugfs"
    say "no $counters: the pool's counters are not recorded"
fi

counter() { cat "$counters/$1" 2>/dev/null; }

if [ -n "$mark" ]; then
    case $mark in
    *%) mark=$(($(counter io_tlb_nslabs) * ${mark%\%} / 100)) ;;
    esac
    [ "$mark" -gt 0 ] || refuse "--until-used: a mark above 0 was expected"
fi

# ---- settings, and how they are put back ----

work='' instance='' undo='' sleeper='' deadline='' stop=''
newline='
'

# A setting in one line, without what the kernel prints around it: "[local] global",
# "7 (expanded: 1408)".
setting() {
    [ -r "$1" ] && value=$(tr '\n' ' ' <"$1") || return 1
    value=${value% }
    case $1 in
    */trace_clock)
        value=${value#*\[}
        value=${value%%\]*}
        ;;
    */buffer_size_kb) value=${value%% *} ;;
    */enable) value=${value%\*} ;;
    */filter) [ "$value" != none ] || value=0 ;;
    esac
    echo "$value"
}

write() { { printf '%s\n' "$2" >"$1"; } 2>/dev/null; }

# put FILE VALUE: remembers what was there, unless it is that already.
put() {
    old=$(setting "$1") || return 1
    [ "$old" != "$2" ] || return 0
    undo="$1$newline$old$newline$undo"
    write "$1" "$2"
}

restore() {
    [ -z "$undo" ] || printf '%s' "$undo" | while IFS= read -r file && IFS= read -r old; do
        write "$file" "$old" || say "$file: could not be set back to $old"
    done
    undo=''
    if [ -n "$instance" ]; then
        # Somebody may have a file of it open for a moment.
        rmdir "$instance" 2>/dev/null || { sleep 1 && rmdir "$instance" 2>/dev/null; } ||
            say "$instance: could not be removed; rmdir does it"
        instance=''
    fi
}

finish() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    for process in $sleeper $deadline; do
        kill "$process" 2>/dev/null
    done
    restore
    [ -z "$work" ] || rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 130' INT # while it records, Ctrl-C ends the recording instead

work=$directory/.record-trace.$$
mkdir -m 700 "$work" 2>/dev/null || die "$directory: cannot make a directory there"

# An instance of our own disturbs nobody; where the kernel gives none, the top one has to do.
top=$tracefs
if [ -d "$tracefs/instances" ]; then
    [ ! -e "$tracefs/instances/bouncesim/trace" ] ||
        die "$tracefs/instances/bouncesim exists: another recording runs; if none does, rmdir it"
    if mkdir "$tracefs/instances/bouncesim" 2>/dev/null; then
        if [ -e "$tracefs/instances/bouncesim/trace" ]; then
            instance=$tracefs/instances/bouncesim
            top=$instance
        else
            rmdir "$tracefs/instances/bouncesim"
        fi
    fi
fi

online_cpus() {
    count=0
    for stats in "$top"/per_cpu/cpu[0-9]*/stats; do
        [ ! -e "$stats" ] || count=$((count + 1))
    done
    echo $((count ? count : 1))
}

# An eighth of what is free, shared out among the CPUs, 1 to 64 MiB each.
default_buffer() {
    free_kb=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' "$procfs/meminfo" 2>/dev/null)
    kb=$((${free_kb:-8192} / 8 / $(online_cpus)))
    [ "$kb" -lt 65536 ] || kb=65536
    [ "$kb" -gt 1024 ] || kb=1024
    echo "$kb"
}

set_buffers() {
    if [ "$(setting "$top/buffer_size_kb")" = X ]; then # the CPUs' sizes differ
        for file in "$top"/per_cpu/cpu[0-9]*/buffer_size_kb; do
            put "$file" "$1" || return 1
        done
    else
        put "$top/buffer_size_kb" "$1"
    fi
}

# Setting the clock, or the tracer, empties the buffer too.
set_up() {
    put "$top/tracing_on" 0 || die "$top/tracing_on: cannot write there; is the kernel locked down?"
    if [ -z "$instance" ]; then
        [ ! -e "$top/current_tracer" ] || put "$top/current_tracer" nop
        for file in set_event_pid set_event_notrace_pid; do
            [ ! -e "$top/$file" ] || put "$top/$file" ''
        done
    fi
    buffer=${buffer:-$(default_buffer)}
    [ ! -e "$top/buffer_size_kb" ] || set_buffers "$buffer" ||
        die "$buffer KiB a CPU: no memory for buffers of this size; --buffer makes them smaller"
    # Not `global`: CPUs that lag get the time of the last event, whose order is lost then.
    if [ -e "$top/trace_clock" ]; then
        for name in $(tr -d '[]' <"$top/trace_clock"); do
            [ "$name" != "$clock" ] || put "$top/trace_clock" "$clock"
        done
        write "$top/trace_clock" "$(setting "$top/trace_clock")"
    fi
    for option in overwrite:1 context-info:1 annotate:1 bin:0 hex:0 raw:0 fields:0 \
        latency-format:0; do
        [ ! -e "$top/options/${option%:*}" ] || put "$top/options/${option%:*}" "${option#*:}"
    done
}

enabled=''
want() { # SYSTEM/EVENT, where the kernel has it
    event=$top/events/$1
    [ -e "$event/enable" ] || return 0
    [ ! -e "$event/filter" ] || put "$event/filter" 0
    put "$event/enable" 1 || die "$1: this event cannot be enabled"
    enabled="$enabled $1"
}

enable_events() {
    want swiotlb/swiotlb_bounced
    if [ -d "$top/events/dma" ]; then
        for event in "$top"/events/dma/*/enable; do
            event=${event%/enable}
            case ${event##*/} in
            \*) ;;
            dma_sync_*) [ -z "$sync" ] || want "dma/${event##*/}" ;;
            *) want "dma/${event##*/}" ;;
            esac
        done
    fi
    if [ -n "$block" ]; then
        want block/block_rq_issue
        want block/block_rq_complete
    fi
    case $enabled in
    *" dma/"*) ;;
    *)
        # Before 6.12 only requests tell when buffers were freed.
        say "no dma events (they came with Linux 6.12): recording requests of disks and packets"
        want net/net_dev_queue
        want net/netif_receive_skb
        ;;
    esac
}

# ---- what is written down ----

save() { # FILE COMMAND
    file=$work/$1
    shift
    "$@" >"$file" || die "$directory: cannot write there; is the disk full?"
}

pool_counters() { # begin|end
    for name in "$counters"/io_tlb_*; do
        [ ! -e "$name" ] || echo "STAT $1 ${name##*/} $(cat "$name" 2>/dev/null)"
    done
}

ring_counters() {
    for name in "$top"/per_cpu/cpu[0-9]*/stats; do
        [ ! -e "$name" ] || echo "STAT $name $(tr '\n' ' ' <"$name")"
    done
}

kernel_option() { # CONFIG_...: y, m or n; nothing when it cannot be told
    for name in "$procfs/config.gz" "$boot/config-$release" "/lib/modules/$release/config"; do
        [ -r "$name" ] || continue
        case $name in
        *.gz) value=$(gzip -dc "$name" 2>/dev/null | sed -n "s/^$1=//p") ;;
        *) value=$(sed -n "s/^$1=//p" "$name") ;;
        esac
        echo "config $1 ${value:-n}"
        return
    done
    return 0
}

machine() {
    release=$(cat "$procfs/sys/kernel/osrelease" 2>/dev/null) || release=$(uname -r)
    echo "kernel $release"
    echo "arch $(uname -m)"
    for set in possible online; do
        [ ! -r "$sysfs/devices/system/cpu/$set" ] ||
            echo "cpus_$set $(cat "$sysfs/devices/system/cpu/$set")"
    done
    sed -n 's/^MemTotal: *\([0-9]*\) kB$/memory_kb \1/p' "$procfs/meminfo" 2>/dev/null
    echo "boot $(cat "$procfs/cmdline" 2>/dev/null)"
    kernel_option CONFIG_SWIOTLB_DYNAMIC
    echo "clock $(setting "$top/trace_clock")"
    echo "buffer_kb $buffer"
    echo "instance $([ -n "$instance" ] && echo own || echo top)"
    for event in $enabled; do
        echo "event $event"
    done
}

# BUS NAME DRIVER DMA_MASK_BITS, "-" for what is not known.
devices() {
    for device in "$sysfs"/bus/*/devices/*; do
        [ -e "$device/driver" ] || continue
        driver=$(readlink "$device/driver")
        bus=${device%/devices/*}
        bits=-
        [ ! -r "$device/dma_mask_bits" ] || read -r bits <"$device/dma_mask_bits"
        echo "${bus##*/} ${device##*/} ${driver##*/} ${bits:--}"
    done
}

kernel_log() {
    "$dmesg" 2>/dev/null |
        grep -i -e swiotlb -e 'software io tlb' -e 'memory encryption' -e 'tdx: guest'
    return 0
}

# ---- recording ----

sleep 0.1 2>/dev/null && tick=0.2 || tick=1

pause() {
    sleep "$1" &
    sleeper=$!
    wait "$sleeper"
    kill "$sleeper" 2>/dev/null
    sleeper=''
}

last_full() { "$dmesg" 2>/dev/null | grep 'swiotlb buffer is full' | tail -n 1; }

# Until the time is over, or the log or the pool says so. In short steps, as a signal that comes
# just before a sleep does not end it.
wait_for_end() {
    seen=${watch:+$(last_full)}
    if [ -n "$duration" ]; then
        sleep "$duration" &
        deadline=$!
    fi
    while [ -z "$stop" ]; do
        if [ -n "$watch" ] && [ "$(last_full)" != "$seen" ]; then
            say "the pool was full"
            break
        fi
        if [ -n "$mark" ] && used=$(counter io_tlb_used) && [ "$used" -ge "$mark" ]; then
            say "$used slots in use"
            break
        fi
        if [ -n "$duration" ] && ! kill -0 "$deadline" 2>/dev/null; then
            [ -z "$watch$mark" ] || say "$duration s are over without what was waited for"
            return
        fi
        pause "$tick"
    done
    [ -n "$stop" ] || pause "$after"
}

record() {
    if [ -n "$reset" ]; then
        write "$counters/io_tlb_used_hiwater" 0 ||
            say "io_tlb_used_hiwater cannot be set to 0 here"
    fi
    save .begin pool_counters begin
    write "$top/tracing_on" 1 || die "$top/tracing_on: cannot write there"
    trap 'stop=1' INT
    if [ -n "$watch$mark" ]; then
        say "recording until${watch:+ the pool is full}${watch:+${mark:+ or}}" \
            "${mark:+$mark slots are in use}"
    else
        say "recording for $duration s, Ctrl-C ends it earlier"
    fi
    wait_for_end
    trap 'exit 130' INT
    write "$top/tracing_on" 0 || die "$top/tracing_on: cannot write there"
}

all_counters() {
    cat "$work/.begin"
    pool_counters end
    ring_counters
}

collect() {
    name=${output##*/}
    members=${name%%.*} # the archive's folder
    members=${members:-recording}
    mkdir "$work/$members" || die "$directory: cannot write there; is the disk full?"
    save "$members/layout.txt" echo "bouncesim-recording $layout"
    save "$members/machine.txt" machine
    save "$members/counters.txt" all_counters
    save "$members/devices.txt" devices
    save "$members/dmesg.txt" kernel_log
    cat "$top/trace" >"$work/$members/trace.txt" 2>/dev/null ||
        die "$directory: the trace cannot be written there; is the disk full?"
}

# What is to be known first comes first: the archive is read as a stream.
pack() {
    : >"$work/.packing"
    (
        cd "$work" || exit
        set --
        for name in layout machine counters devices dmesg trace; do
            set -- "$@" "./$members/$name.txt"
        done
        tar -cf - "$@" && rm .packing
    ) 2>/dev/null | gzip -c >"$work/.archive" 2>/dev/null && [ ! -e "$work/.packing" ]
}

# Events in the archive, and events that the rings had no room for.
event_counts() {
    stats='s|^STAT .*/stats entries: \([0-9]*\) overrun: \([0-9]*\) .*'
    stats=$stats'dropped events: \([0-9]*\) .*|\1 \2 \3|p'
    sed -n "$stats" "$work/$members/counters.txt" | {
        entries=0 lost=0
        while read -r held overrun dropped; do
            entries=$((entries + held))
            lost=$((lost + overrun + dropped))
        done
        echo "$entries events, $lost lost"
    }
}

set_up
enable_events
record
collect
restore
pack || die "$output: cannot be written; is the disk full?"
counts=$(event_counts)
mv -f "$work/.archive" "$output" 2>/dev/null || die "$output: cannot be written"

echo "$output: $counts"
case $counts in
*' 0 lost') ;;
*) say "the beginning did not fit into the buffers; --buffer makes them larger" ;;
esac

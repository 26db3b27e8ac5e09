/**
 * The first program of a virtual machine: makes the host's root, read-only below a layer of memory, the machine's own, and hands over to an
 * init that starts the agent.
 */
export const INIT = `#!/bin/sh
set -e
export PATH=/bin

stop() {
  echo "tsbuild-vm: $1" >/dev/console
  poweroff -f
}
trap 'stop "cannot be set up"' EXIT

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module.ko"; done </modules/order

mount -t virtiofs -o ro host /lower
mount -t tmpfs -o mode=0755 cover /cover
mkdir /cover/upper /cover/work
mount -t overlay -o lowerdir=/lower,upperdir=/cover/upper,workdir=/cover/work root /root

for directory in proc sys dev; do mount --move "/$directory" "/root/$directory"; done
mkdir -p /root/dev/pts /root/dev/shm /root/dev/mqueue
mount -t devpts -o gid=5,mode=0620,ptmxmode=0666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 shm /root/dev/shm
mount -t mqueue mqueue /root/dev/mqueue
mount -t tmpfs -o mode=0755 run /root/run
mount -t cgroup2 -o nsdelegate cgroup /root/sys/fs/cgroup
ln -sf /proc/self/fd /root/dev/fd
chmod 666 /root/dev/net/tun
ip link set lo up
# A way out that leads nowhere (addresses of RFC 5737 and 3849): what connects a network to the machine's own asks for one.
ip link add out type dummy
ip address add 192.0.2.2/24 dev out
ip -6 address add 2001:db8::2/64 dev out
ip link set out up
ip route add default via 192.0.2.1
ip -6 route add default via 2001:db8::1 dev out
hostname tsbuild-vm

# The first disk, empty, is the machine's scratch space: an overlay's upper directory needs attributes that memory lacks in older kernels.
mkdir -p /root/scratch
mount -t ext4 /root/dev/vda /root/scratch
chmod 1777 /root/scratch

cp /bin/busybox /agent /root/run/
echo "::once:/run/agent" >/root/etc/inittab
trap - EXIT
exec switch_root /root /run/busybox init
`;

/**
 * Runs one command after another that the host sends through a virtio port, each as a line of a mark and a script in base64; what they
 * write goes back as it comes, and after each a line of the mark and the exit code.
 */
export const AGENT = `#!/run/busybox sh
for name in /sys/class/virtio-ports/*/name; do
  if [ "$(cat "$name")" = tsbuild ]; then port="/dev/$(/run/busybox basename "\${name%/name}")"; fi
done
exec 3<>"$port"
printf 'ready\\n' >&3
while read -r mark script <&3; do
  echo "$script" | /run/busybox base64 -d >/run/script
  /run/busybox setsid /bin/sh /run/script </dev/null >&3 2>&1 3>&-
  printf '\\036%s %d\\n' "$mark" $? >&3
done
# The host is gone.
/run/busybox poweroff -f
`;

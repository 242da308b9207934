#!/bin/bash
# Boots this machine's own systemd in namespaces of its own, over a copy of the root file system that is thrown away.
# Called inside them: namespace.sh FOLDER REPOSITORY. FOLDER is a tmpfs with the overlay mounted at root/.
set -e
root=$1/root
mount --make-rprivate /
mount -t proc proc "$root/proc"
# Settings of the machine stay as they are; those of the network are the namespace's own.
mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,ro,bind "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net" && mount -o remount,rw,bind "$root/proc/sys/net"
mount -t sysfs -o ro sysfs "$root/sys"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd systemd "$root/sys/fs/cgroup/systemd"
  for controller in memory cpu cpuset pids devices freezer blkio; do
    mkdir "$root/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" "$controller" "$root/sys/fs/cgroup/$controller"
  done
  mount -o remount,ro "$root/sys/fs/cgroup"
fi
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
for node in null zero full random urandom tty; do
  touch "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/run/lock" "$root/var/lib/gantry" "$root/opt/gantry"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
# Layers cannot lie on an overlay.
mount -t tmpfs tmpfs "$root/var/lib/gantry"
mount --bind "$2" "$root/opt/gantry"
ip link set lo up
exec chroot "$root" /usr/bin/env -i container=gantry-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=gantry-test.target --show-status=no

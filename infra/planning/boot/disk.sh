# NVMe disks: if the machine has one, the images of docker and containerd and the Hub's cache are on it.

NVME=$ROOT/opt/dlami/nvme # where the machine image mounts it
HUB=$ROOT/var/lib/servestack/hub

prepare_disk() {
  if has_nvme; then
    move_to_nvme
    HUB=$NVME/servestack/hub
  fi
  systemctl start docker.service || try_again 'docker could not be started'
  mkdir -p "$HUB"
  chmod 1777 "$HUB" # a container may run as any user
}

has_nvme() {
  if [[ -d $HUB ]]; then return 1; fi # an earlier start chose the root volume and has filled it since
  mountpoint -q "$NVME" || mount_instance_store || return 1
  if [[ -d $NVME/servestack/hub ]]; then return 0; fi # an earlier start chose the NVMe
  local here there
  here=$(df --output=avail "$NVME" | tail --lines 1) || return 1
  there=$(df --output=avail "$ROOT/var/lib" | tail --lines 1) || return 1
  if ((here < there)); then
    log "the NVMe disk has $((here / 1048576)) GiB free and the root volume $((there / 1048576)) GiB, so the root volume is used"
    return 1
  fi
}

# The first device of the instance store. If the machine image combines several devices, it has already mounted them.
# EC2 delivers them trimmed, and -K does not trim them again.
mount_instance_store() {
  local device
  device=$(lsblk --nodeps --noheadings --paths --output NAME,MODEL |
    awk '/Amazon EC2 NVMe Instance Storage/ && !found++ { print $1 }') || return 1
  if [[ -z $device ]]; then return 1; fi
  mkdir -p "$NVME"
  mount "$device" "$NVME" 2>/dev/null && return 0
  if ! mkfs.xfs -q -K "$device" || ! mount "$device" "$NVME"; then
    log "the NVMe disk $device could not be mounted, so the root volume is used"
    return 1
  fi
}

move_to_nvme() {
  if mountpoint -q "$ROOT/var/lib/docker" && mountpoint -q "$ROOT/var/lib/containerd"; then return; fi
  systemctl stop docker.socket docker.service containerd.service || true
  if systemctl is-active --quiet docker.service; then try_again 'docker could not be stopped'; fi
  local name
  for name in docker containerd; do
    mkdir -p "$NVME/$name" "$ROOT/var/lib/$name"
    mountpoint -q "$ROOT/var/lib/$name" || mount --bind "$NVME/$name" "$ROOT/var/lib/$name" ||
      try_again "the NVMe disk could not be mounted over /var/lib/$name"
  done
}

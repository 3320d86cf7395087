# NVMe disks: if the machine has one, the images of docker and containerd and the Hub's cache are on it.

NVME=$ROOT/opt/dlami/nvme # where the machine image mounts it
STRIPED=$ROOT/dev/servestack/nvme
HUB=$ROOT/var/lib/servestack/hub

prepare_disk() {
  if has_nvme; then
    move_to_nvme
    HUB=$NVME/servestack/hub
  fi
  systemctl start docker.service || try_again "docker could not be started: $(docker_says)"
  mkdir -p "$HUB"
  chmod 1777 "$HUB" # a container may run as any user
}

# docker_says: the last lines of docker's own log.
docker_says() {
  local lines
  lines=$(journalctl --unit docker.service --lines 5 --no-pager --output cat 2>/dev/null) || true
  lines=${lines//$'\n'/; }
  printf '%s' "${lines:-no message}"
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

# The devices of the instance store. If the machine image has a service for them, they are already mounted. EC2 delivers
# them trimmed, and -K does not trim them again.
mount_instance_store() {
  local device devices
  mapfile -t devices < <(lsblk --nodeps --noheadings --paths --output NAME,MODEL |
    awk '/Amazon EC2 NVMe Instance Storage/ { print $1 }')
  if ((${#devices[@]} == 0)); then return 1; fi
  device=${devices[0]}
  if ((${#devices[@]} > 1)); then
    if [[ -e $STRIPED ]] || stripe "${devices[@]}"; then
      device=$STRIPED
    else
      log "the ${#devices[@]} NVMe disks could not be used together, so only $device is used"
    fi
  fi
  mkdir -p "$NVME"
  mount "$device" "$NVME" 2>/dev/null && return 0
  if ! mkfs.xfs -q -K "$device" || ! mount "$device" "$NVME"; then
    log "the NVMe disk $device could not be mounted, so the root volume is used"
    return 1
  fi
}

# stripe DEVICE...: one volume over all devices, with LVM, as the Deep Learning AMI does. vgcreate asks before it overwrites
# a file system, and gets no answer here, so a disk that has one keeps it.
stripe() {
  vgcreate servestack "$@" </dev/null >/dev/null 2>&1 &&
    lvcreate --yes --stripes "$#" --extents 100%FREE --name nvme servestack >/dev/null 2>&1
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

# The Hub's cache in the container. A mount hides what the image has at its path, so that is copied into the cache first.

LARGEST_COPY=1073741824 # bytes of a tar archive: an image that has more there keeps its own folder, without a mount
HUB_MOUNTS=()
IMAGE_FILES=servestack-image # a container that never runs

prepare_hub_cache() {
  local path
  HUB_MOUNTS=()
  for path in "${HUB_CACHE_PATHS[@]}"; do
    if [[ -d $HUB$path ]] || copy_from_image "$path"; then HUB_MOUNTS+=("$path"); fi
  done
  docker rm --force --volumes "$IMAGE_FILES" >/dev/null 2>&1 || true
}

# copy_from_image PATH: fails if the image keeps its folder.
copy_from_image() {
  local size
  docker create --name "$IMAGE_FILES" "$IMAGE" true >/dev/null 2>&1 || true # it can exist already
  size=$({ docker cp "$IMAGE_FILES:$1/." - 2>/dev/null || true; } | head --bytes "$LARGEST_COPY" | wc --bytes)
  if ((size >= LARGEST_COPY)); then
    log "the image has its own files at $1, so the Hub's cache is not mounted there"
    return 1
  fi
  rm -rf "$HUB$1.new" # a start that was killed leaves it
  mkdir -p "$HUB$1.new"
  if ((size > 0)) && ! docker cp --archive "$IMAGE_FILES:$1/." "$HUB$1.new" >/dev/null 2>"$WORK/errors"; then
    log "the files that the image has at $1 could not be copied, so the Hub's cache is not mounted there: $(last_line "$WORK/errors")"
    return 1
  fi
  chmod 1777 "$HUB$1.new" # a container may run as any user
  mv "$HUB$1.new" "$HUB$1"
}

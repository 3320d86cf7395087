# `files` and `repos`: first on the machine, then in the container as mounts. So the image needs neither git nor tar.
#
# The other parts run this one from the bucket, with the constants FILES, REPOSITORY and WHERE before it.

UNREADABLE='could not read (username|password)|authentication failed|repository .*not found|returned error: 40[134]|access denied'
NO_COMMIT='reference is not a tree|unable to read tree|not our ref|did not match any file'
DIRECTORY= # the working directory of the container
OWNER=     # its user and group, as numbers
HOME_FOLDER=
OCCUPIED= # something that the image has where the repository belongs

# lay_everything: the container changes a copy, which is made again before each start, as the container's other files are.
lay_everything() {
  local entry hash place live=$LAID/live number=0
  rm -rf "$live"
  mkdir -p "$live"
  look_into_image
  if ((${#REPOSITORY[@]} > 0)); then lay_repository "$live/repository"; fi
  for entry in "${FILES[@]}"; do
    number=$((number + 1))
    hash=${entry%% *}
    place=$(place_of "${entry#* }")
    if [[ $place == / ]]; then give_up 'files cannot replace the root folder of the container: write another path under files'; fi
    fetch_object "$hash"
    mkdir "$live/$number"
    tar --extract --file "$LAID/$hash" --directory "$live/$number" || try_again 'the files could not be unpacked'
    mount_laid "$live/$number/laid" "$place"
  done
}

# look_into_image: the user, the folders and the files that the image has are known only in a container of it.
look_into_image() {
  local found
  found=$(
    docker run --rm --interactive --log-driver none --pull never "${WHERE[@]}" --entrypoint sh "$IMAGE" -s -- "${REPOSITORY[3]:-.}" 2>"$WORK/errors" <<'SH'
pwd
echo "$(id -u):$(id -g)"
echo ~
case $1 in "~"*) cd ~ && set -- "./${1#"~"}" ;; esac
ls -A -- "$1" 2>/dev/null || true
SH
  ) || {
    if says 'executable file not found'; then give_up "files and repos need a shell in the image, as in dstack, and $IMAGE has no sh"; fi
    explain_refusal
  }
  { read -r DIRECTORY && read -r OWNER && read -r HOME_FOLDER && read -r OCCUPIED; } <<<"$found" || true
}

# place_of PATH: the absolute path in the container.
place_of() {
  local path=$1
  case $path in
    '~'*) path=$HOME_FOLDER${path:1} ;;
    /*) ;;
    *) path=$DIRECTORY/$path ;;
  esac
  realpath --canonicalize-missing --no-symlinks -- "$path"
}

# mount_laid SOURCE PLACE
mount_laid() {
  chown --recursive --no-dereference "$OWNER" "$1"
  RUN_OPTIONS+=(--mount "type=bind,source=$1,\"target=${2//\"/\"\"}\"")
}

# lay_repository FOLDER
lay_repository() {
  local place
  place=$(place_of "${REPOSITORY[3]}")
  RUN_OPTIONS+=(--env "DSTACK_REPO_DIR=$place")
  if [[ -n $OCCUPIED ]]; then
    if [[ ${REPOSITORY[4]} == skip ]]; then
      log "the image has files in $place, so the repository is not cloned there"
      return
    fi
    give_up "the image has files in $place, where the repository belongs: write another path under repos, or if_exists: skip"
  fi
  if [[ ! -d $LAID/repository ]]; then clone_repository "${REPOSITORY[@]}"; fi
  cp --archive --reflink=auto "$LAID/repository" "$1"
  mount_laid "$1" "$place"
}

# clone_repository URL BRANCH COMMIT PATH IF_EXISTS CHANGES
clone_repository() {
  local url=$1 branch=$2 commit=$3 changes=$6 clone=$LAID/cloning options=()
  if ! type -P git >/dev/null; then
    give_up 'the machine image has no git: remove ami from stack config, or set it to an image that has git'
  fi
  report "cloning $url"
  rm -rf "$clone" "$WORK/reading"
  if [[ -n $branch ]]; then options=(--branch "$branch"); fi
  if ! (
    show_token "$url" && run_git clone --quiet --recurse-submodules "${options[@]}" -- "$url" "$clone" &&
      { [[ -z $commit || $commit == "$(git -C "$clone" rev-parse HEAD)" ]] ||
        run_git -C "$clone" checkout --quiet --recurse-submodules "$commit" --; }
  ) 2>"$WORK/errors" </dev/null; then
    explain_clone "$url" "$branch" "$commit"
  fi
  if [[ -n $changes ]]; then
    fetch_object "$changes"
    tar --extract --file "$LAID/$changes" --to-stdout changed | (cd "$clone" && xargs --null --no-run-if-empty rm -rf --)
    tar --extract --file "$LAID/$changes" --directory "$clone" --strip-components 1
  fi
  mv "$clone" "$LAID/repository"
}

# show_token URL: to the host of this URL only. It is in the environment of git, which no process list shows.
show_token() {
  local path=${1#*://*/} token
  if ((${#GIT_TOKEN_PARAMETERS[@]} == 0)); then return; fi
  read_value "${GIT_TOKEN_PARAMETERS[@]}" || return 1
  token=$(printf 'oauth2:%s' "$VALUE" | base64 --wrap 0)
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.${1%"$path"}.extraHeader" GIT_CONFIG_VALUE_0="Authorization: Basic $token"
}

# run_git ARGUMENT...: gives up when nothing arrives for a minute.
run_git() {
  GIT_TERMINAL_PROMPT=0 git -c credential.helper= -c http.lowSpeedLimit=1 -c http.lowSpeedTime=60 "$@"
}

# explain_clone URL BRANCH COMMIT
explain_clone() {
  local why
  why=$(last_line "$WORK/errors")
  try_again_if_unreadable
  if says 'no space left'; then give_up "the disk is too small for the repository $1: request more under resources.disk"; fi
  if says 'remote branch .* not found'; then give_up "the repository $1 has no branch $2: push it, or correct repos"; fi
  if says "$NO_COMMIT"; then give_up "the repository $1 has no commit $3: push it, or correct repos"; fi
  if says "$UNREADABLE"; then
    if ((${#GIT_TOKEN_PARAMETERS[@]} > 0)); then give_up "the repository $1 was not found, or git_token cannot read it: $why"; fi
    give_up "the repository $1 was not found, or it is private: pulumi config set --secret git_token: $why"
  fi
  try_again "the repository $1 could not be cloned: $why"
}

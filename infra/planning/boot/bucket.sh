# What does not fit into user data is in the gateway's bucket, under the hash of its content.

LAID=

# lay_files: this part of the script, laying.sh, comes from the bucket.
lay_files() {
  LAID=${HUB%/*}/laid
  mkdir -p "$LAID"
  report 'fetching files'
  fetch_object "$LAYING"
  eval "$(<"$LAID/$LAYING")"
  lay_everything
}

# fetch_object HASH
fetch_object() {
  local file=$LAID/$1 cause
  if [[ -e $file ]]; then return; fi
  if call_aws s3api get-object --bucket "$FILES_BUCKET" --key "runs/$RUN/$1" "$file.new" >/dev/null 2>"$WORK/errors" &&
    [[ $(sha256sum <"$file.new") == "$1 "* ]]; then
    mv "$file.new" "$file"
    return
  fi
  cause="files could not be fetched from the bucket $FILES_BUCKET: $(last_line "$WORK/errors")"
  # A permission of a new role can need some seconds, so the first refusals do not count.
  if says 'AccessDenied|NoSuchKey' && (($(count_failures) >= 2)); then give_up "$cause"; fi
  try_again "$cause"
}

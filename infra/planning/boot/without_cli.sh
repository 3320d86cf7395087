# A machine image without the AWS CLI: curl can sign a request too, so the cause still reaches the state item.

check_cli() {
  if type -P aws >/dev/null; then return; fi
  give_up 'the machine image has no AWS CLI: remove ami from stack config, or set it to an image that has the AWS CLI'
}

# put_item_without_cli ITEM: the credentials go by standard input, which no process list shows.
put_item_without_cli() {
  local role keys domain
  role=$(metadata iam/security-credentials/) || return 1
  keys=$(metadata "iam/security-credentials/$role") || return 1
  domain=$(metadata services/domain) || return 1
  printf 'user = "%s:%s"\nheader = "X-Amz-Security-Token: %s"\n' \
    "$(member AccessKeyId "$keys")" "$(member SecretAccessKey "$keys")" "$(member Token "$keys")" |
    curl --silent --fail --max-time 10 --output /dev/null --config - --aws-sigv4 "aws:amz:$REGION:dynamodb" \
      --header 'X-Amz-Target: DynamoDB_20120810.PutItem' --header 'Content-Type: application/x-amz-json-1.0' \
      --data "{\"TableName\": $(json_text "$TABLE"), \"Item\": {$1}}" "https://dynamodb.$REGION.$domain/"
}

# member NAME JSON: the text of a member, one line of which has it.
member() {
  sed --quiet "s/^ *\"$1\" : \"\(.*\)\",\{0,1\}$/\1/p" <<<"$2"
}

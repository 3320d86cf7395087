# How the script becomes a systemd unit: cloud-init runs it once without arguments, and the unit runs it with `serve`.

INSTALLED=$ROOT/opt/servestack/boot

install_unit() {
  install -D --mode 0700 "${BASH_SOURCE[0]}" "$INSTALLED"
  mkdir -p "$ROOT/etc/systemd/system"
  cat >"$ROOT/etc/systemd/system/servestack.service" <<UNIT
[Unit]
Description=servestack run $RUN
Wants=network-online.target
After=network-online.target dlami-nvme.service docker.service nvidia-fabricmanager.service
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart=$INSTALLED serve
Restart=on-failure
RestartPreventExitStatus=78
RestartSec=1
KillMode=mixed
TimeoutStopSec=120
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl --no-block enable --now servestack.service
}

main() {
  case ${1:-install} in
    install) install_unit ;;
    serve) serve ;;
    start) start ;;
    replace) replace_stopped "$2" ;;
    *)
      printf 'servestack: the argument of boot is install or serve, not %s\n' "$1" >&2
      exit 64
      ;;
  esac
}

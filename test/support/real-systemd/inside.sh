#!/bin/bash
# Runs as a service below a real systemd and prints one line NAME=VALUE for each thing it has seen.
docker='docker -H unix:///run/docker.sock'
see() { echo "$1=$2"; }
main_pid() { systemctl show gantry -p MainPID --value; }

systemctl enable gantry.service gantry.socket 2>&1
systemctl start gantry.socket
see activated "$($docker version --format '{{.Server.Os}}')"
see status "$(systemctl show docker.service -p StatusText --value)"

mkdir -p /etc/docker
echo '{"labels": ["a=b"]}' > /etc/docker/daemon.json
systemctl reload gantry; see reload $?
see labels "$($docker info --format '{{.Labels}}')"
echo '{"lables": []}' > /etc/docker/daemon.json
systemctl reload gantry 2>/dev/null; see refused $?
see after-refusal "$(systemctl is-active gantry)"
echo '{}' > /etc/docker/daemon.json

mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/bin/gantryd --debug\nWatchdogSec=10\n' \
  > /etc/systemd/system/docker.service.d/override.conf
systemctl daemon-reload
systemctl restart gantry; see drop-in $?
see command "$(tr '\0' ' ' < /proc/$(main_pid)/cmdline)"
see debug "$($docker info --format '{{.Debug}}')"

frozen=$(main_pid)
kill -STOP "$frozen"
for _ in $(seq 120); do [ "$(main_pid)" != "$frozen" ] && [ "$(main_pid)" != 0 ] && break; sleep 0.5; done
see restarted "$(systemctl show gantry -p NRestarts --value)"
see after-restart "$($docker version --format '{{.Server.Os}}')"

systemctl stop gantry 2>/dev/null; see stopped "$(systemctl show gantry -p Result --value)"
see socket-stays "$(test -S /run/docker.sock && echo yes)"
see errors-in-journal "$(journalctl -u gantry -p err --no-pager -o cat | grep -c 'configuration not reloaded')"
systemctl stop gantry.socket
systemctl --force --force poweroff

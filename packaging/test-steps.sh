# shellcheck shell=bash
# What scripts/package-test looks at beyond a package by itself: an upgrade from an older one, a first boot, an apt repository.
# Sourced there; `inside` runs a command in the small Debian at $root, `check` counts what passes.
# shellcheck disable=SC2154 # root is of that script

# From an older package: an agent of its kind takes readings that nobody fetches, and the new one must have them.
upgrade() {
    local etc=/etc/container-tracker state=/var/lib/container-tracker waiting
    echo "-- upgrade from $(basename "$1")"
    cp "$1" "$root/old.deb"
    check "the old one installs" inside dpkg --install /old.deb
    identity
    inside sh -c "cat >$etc/tracker.toml" <<TOML
# mine
[dps]
id_scope = "0ne0000CAFE"
[identity]
certificate = "device-chain.pem"
key = "device.key"
[connection]
roots = "device-chain.pem"
gateway = "127.0.0.1:1"
[sensors.bme280]
bus = "/dev/there-is-no-such-bus"
[sensors.gps]
enabled = false
[telemetry]
interval = 1
[clock]
trust_system = true
TOML
    cp "$root$etc/tracker.toml" "$root/mine.toml"
    inside install -d -o container-tracker -g container-tracker -m 700 $state
    start_agent
    check "the old agent has taken readings that wait" within 60 waits 3
    # A stopped agent has no status.
    waiting=$(waiting)
    stop_agent
    # The configuration has changed on both sides: whoever is asked keeps his own.
    check "it upgrades" inside dpkg --force-confold --install /package.deb
    # shellcheck disable=SC2016 # dpkg-query fills it in
    check "to the other version" differs "$(dpkg-deb --field "$1" Version)" \
        "$(inside dpkg-query --show --showformat '${Version}' container-tracker)"
    check "the configuration is what it was" cmp "$root$etc/tracker.toml" "$root/mine.toml"
    check "... and its rights" owned root:container-tracker:640 $etc/tracker.toml
    check "the key is there, and closed" owned root:container-tracker:640 $etc/device.key
    start_agent
    check "the new agent has the $waiting readings of the old one, and goes on" within 60 waits $((waiting + 2))
    stop_agent
    check "the journal that it opened is the old one's" inside sh -c "! ls $state | grep -q journal.db.bad"
    check "it goes" inside dpkg --purge container-tracker
    check "the journal is gone" inside test ! -e $state
    check "the key stays" inside test -e $etc/device.key
    inside rm -rf $etc
}

# A card that has everything on its boot partition: docs/first-boot.md.
first_boot() {
    local boot=$root/boot/firmware etc=/etc/container-tracker
    echo "-- first boot"
    mkdir -p "$boot/container-tracker"
    printf '# mine\n[pi4]\narm_boost=1\n' >"$boot/config.txt"
    echo "console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootwait systemd.run=/boot/firmware/container-tracker/first-boot" \
        "systemd.run_success_action=reboot systemd.run_failure_action=reboot systemd.unit=kernel-command-line.target" >"$boot/cmdline.txt"
    cp packaging/first-boot/first-boot "$boot/container-tracker/"
    check "without a package it says what is missing" \
        said "copy it there" inside sh /boot/firmware/container-tracker/first-boot
    cp "$1" "$boot/container-tracker/"
    identity "$boot/container-tracker"
    sed 's/^id_scope = .*/id_scope = "0ne0000CAFE"/; s/^# gateway = .*/gateway = "127.0.0.1:1"/' config/tracker.toml >"$boot/container-tracker/tracker.toml"
    cp "$boot/container-tracker/device.key" "$root/device.key"
    check "it takes in what lies on the boot partition" inside sh /boot/firmware/container-tracker/first-boot
    check "the program is there" inside container-tracker --version
    check "the key is the service's to read" owned root:container-tracker:640 $etc/device.key
    check "it is the key" cmp "$root$etc/device.key" "$root/device.key"
    check "the key is gone from the boot partition" test ! -e "$boot/container-tracker/device.key"
    check "... and in no file of it" lacks_key "$boot"
    check "the configuration is in force" inside grep -q 0ne0000CAFE $etc/tracker.toml
    check "I2C and UART are on" grep -qx "dtparam=i2c_arm=on" "$boot/config.txt"
    check "... and what config.txt had is there" grep -qx arm_boost=1 "$boot/config.txt"
    check "the kernel's command line is its own again" \
        grep -qx "console=tty1 root=PARTUUID=1-02 rootwait" "$boot/cmdline.txt"
    check "a second time changes nothing" inside sh /boot/firmware/container-tracker/first-boot
    check "I2C is switched on once" test "$(grep -cx dtparam=i2c_arm=on "$boot/config.txt")" = 1
    inside dpkg --purge container-tracker >/dev/null 2>&1
    inside rm -rf $etc
}

from_repository() {
    echo "-- apt repository"
    cp -r "$1" "$root/repository"
    inside sh -c 'rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
        echo "deb [trusted=yes] file:/repository stable main" >/etc/apt/sources.list.d/container-tracker.list'
    check "apt reads it" inside apt-get --quiet update
    check "apt installs from it" inside apt-get --quiet --yes install container-tracker
    check "the program runs" inside container-tracker --version
}

# A certificate with its key, as /etc/container-tracker or another folder has them.
identity() {
    local directory=${1:-$root/etc/container-tracker} pki=$root/pki
    scripts/test-identity "$pki" tracker-package
    if [ $# = 0 ]; then
        cp "$pki/tracker-package-chain.pem" "$directory/device-chain.pem"
        cp "$pki/tracker-package.key" "$directory/device.key"
        inside chown root:container-tracker /etc/container-tracker/device-chain.pem /etc/container-tracker/device.key
        inside chmod 640 /etc/container-tracker/device-chain.pem /etc/container-tracker/device.key
    else
        cp "$pki/tracker-package-chain.pem" "$directory/device-chain.pem"
        cp "$pki/tracker-package.key" "$directory/device.key"
    fi
}

# As the service would, without systemd.
start_agent() {
    inside install -d -o container-tracker -g container-tracker /run/container-tracker
    chroot --userspec=container-tracker:container-tracker "$root" /usr/bin/env RUNTIME_DIRECTORY=/run/container-tracker \
        /usr/bin/container-tracker run --config /etc/container-tracker/tracker.toml >>"$root/agent.log" 2>&1 &
    agent=$!
}

stop_agent() {
    kill -TERM "$agent"
    wait "$agent" || true
    agent=
}

waiting() {
    jq '.journal.backlog // 0' "$root/run/container-tracker/status.json" 2>/dev/null || echo 0
}

waits() {
    [ "$(waiting)" -ge "$1" ]
}

within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$until" ]; then
            tail -n 5 "$root/agent.log"
            return 1
        fi
        sleep 0.2
    done
}

differs() {
    echo "$1 and $2"
    [ "$1" != "$2" ]
}

# Fails, and says so.
said() {
    local words=$1
    shift
    ! "$@" >"$root/words" 2>&1 || return 1
    grep -q "$words" "$root/words" || { cat "$root/words"; return 1; }
}

# Not a line of the key is left.
lacks_key() {
    ! grep -rqF "$(sed -n 2p "$root/device.key")" "$1"
}

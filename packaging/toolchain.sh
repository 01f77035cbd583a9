# shellcheck shell=bash
# Which compiler builds for an architecture; sourced by packaging/release.
#
# find_toolchain ARCHITECTURE sets
#   triple     the target, as Rust names it
#   gcc        links, and compiles what is written in C
#   sysroot    of the Rust that is used: bin/cargo and bin/rustc are in it
#   from       "std", or "source" where the standard library is built along
# or, when there is none, `why` to a sentence that says what to install.

triple_of() {
    case $1 in
        amd64) echo x86_64-unknown-linux-gnu ;;
        arm64) echo aarch64-unknown-linux-gnu ;;
        armhf) echo armv7-unknown-linux-gnueabihf ;;
        *) return 1 ;;
    esac
}

# Debian's compilers have these names on every computer, also where they are its own.
gcc_of() {
    case $1 in
        amd64) echo x86_64-linux-gnu-gcc ;;
        arm64) echo aarch64-linux-gnu-gcc ;;
        armhf) echo arm-linux-gnueabihf-gcc ;;
    esac
}

# The Rust on the path first, which may be rustup's, then Debian's.
sysroots() {
    local of_path=
    ! command -v rustc >/dev/null || of_path=$(rustc --print sysroot)
    [ -z "$of_path" ] || echo "$of_path"
    [ "$of_path" = /usr ] || [ ! -x /usr/bin/rustc ] || echo /usr
}

has_std() {
    compgen -G "$("$1/bin/rustc" --print target-libdir --target "$2")/libstd-*.rlib" >/dev/null
}

has_source() {
    [ -e "$1/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

find_toolchain() {
    local candidate
    triple=$(triple_of "$1")
    gcc=$(gcc_of "$1")
    if ! command -v "$gcc" >/dev/null; then
        why="there is no $gcc to link it with: apt install gcc-${gcc%-gcc}"
        return 1
    fi
    for from in std source; do
        while read -r candidate; do
            if "has_$from" "$candidate" "$triple"; then
                sysroot=$candidate
                return
            fi
        done < <(sysroots)
    done
    why="no Rust here has a standard library for $triple, nor its source: rustup target add $triple, or apt install"
    why+=" rustc-web cargo-web rust-web-src (docs/cross-compiling.md)"
    return 1
}

# The static one of the same architecture, where a musl has been installed: sets triple, gcc, sysroot, from.
find_static_toolchain() {
    local compilers candidate
    case $1 in
        amd64) triple=x86_64-unknown-linux-musl compilers="x86_64-linux-musl-gcc musl-gcc" ;;
        arm64) triple=aarch64-unknown-linux-musl compilers=aarch64-linux-musl-gcc ;;
        armhf) triple=armv7-unknown-linux-musleabihf compilers=arm-linux-musleabihf-gcc ;;
    esac
    from=std
    for gcc in $compilers; do
        command -v "$gcc" >/dev/null || continue
        while read -r candidate; do
            if has_std "$candidate" "$triple"; then
                sysroot=$candidate
                return
            fi
        done < <(sysroots)
    done
    return 1
}

# Builds the firmware with what find_toolchain has found: compile FEATURES. What the caller's environment says about compilers
# does not count, only how the registry is reached; no path of this computer gets into the program.
compile() {
    local variable cargo_home=${CARGO_HOME:-$HOME/.cargo} commit upper lower
    commit=$("$sysroot/bin/rustc" -vV | sed -n 's/^commit-hash: //p')
    lower=${triple//-/_}
    upper=${lower^^}
    local -a environment=(env -i HOME="$HOME" CARGO_HOME="$cargo_home" PATH="$sysroot/bin:/usr/bin:/bin" LC_ALL=C TZ=UTC
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" RUSTC="$sysroot/bin/rustc"
        "CC_$lower=$gcc"
        "CFLAGS_$lower=-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/container-tracker"
        "CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f' \
            "--remap-path-prefix=$cargo_home=/cargo" "--remap-path-prefix=$PWD=/container-tracker")$(
            printf %s "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit")")
    # For this computer Rust brings a linker of its own, which folds functions that are the same; a name here would put it aside.
    [ "$triple" = "$("$sysroot/bin/rustc" -vV | sed -n 's/^host: //p')" ] || environment+=("CARGO_TARGET_${upper}_LINKER=$gcc")
    while read -r variable; do
        case $variable in
            CARGO_NET_* | CARGO_HTTP_* | CARGO_REGISTR* | CARGO_SOURCE_* | *_proxy | *_PROXY | SSL_CERT_*)
                environment+=("$variable=${!variable}")
                ;;
        esac
    done < <(compgen -e)
    local -a options=(build --locked --profile "${PROFILE:-firmware}" --no-default-features --features "$1"
        --bin container-tracker --target "$triple")
    if [ "$from" = source ]; then
        environment+=(RUSTC_BOOTSTRAP=1)
        options+=("-Zbuild-std=std,panic_abort")
    fi
    "${environment[@]}" nice "$sysroot/bin/cargo" "${options[@]}"
}

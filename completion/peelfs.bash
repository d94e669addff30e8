# SPDX-License-Identifier: MIT
# Completion for bash: peelfs and peelctl.
#
# The options of -o are read from `peelfs -h`, so a new one needs no change here.

# The word before the cursor as typed: bash splits words at : and = (COMP_WORDBREAKS).
_peelfs_word() {
	local line=${COMP_LINE:0:COMP_POINT}
	printf '%s' "${line##*[[:blank:]]}"
}

# _peelfs_reply CANDIDATE...: offer those that begin with the word. bash wants only the part
# after the last : or = of the word. No blank follows a candidate that needs more.
_peelfs_reply() {
	local word candidate behind
	word=$(_peelfs_word)
	behind=${word%"${word##*[:=]}"}
	COMPREPLY=()
	for candidate; do
		[[ $candidate == "$word"* ]] && COMPREPLY+=("${candidate#"$behind"}")
	done
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=/] ]] && compopt -o nospace 2> /dev/null
	return 0
}

# _peelfs_paths -f|-d: complete the part of the word after its last : or = as a path.
_peelfs_paths() {
	local word
	word=$(_peelfs_word)
	mapfile -t COMPREPLY < <(compgen "$1" -- "${word##*[:=]}")
	compopt -o filenames 2> /dev/null
}

# _peelfs_options WORD PROGRAM: the help has a line "    layout=image|rootfs   text" for each.
_peelfs_options() {
	local word=$1 done one name value
	local -a all
	done=${word%"${word##*,}"}
	one=${word##*,}
	name=${one%%=*}
	mapfile -t all < <("$2" -h 2> /dev/null | sed -n 's/^    \([a-z_][a-z0-9_]*=\{0,1\}[^ ]*\) .*/\1/p')
	if [[ $one != *=* ]]; then
		all+=(ro noexec nosuid nodev suid dev noatime)
		all=("${all[@]/%=*/=}")
		_peelfs_reply "${all[@]/#/$done}"
		return
	fi
	for value in "${all[@]}"; do
		[[ $value == "$name="* ]] && break
		value=
	done
	case $value in
	*=DIR | *"=DIR[:DIR]") _peelfs_paths -d ;;
	*=FILE) _peelfs_paths -f ;;
	platform=*)
		all=(linux/{386,amd64,arm64,arm/v6,arm/v7,ppc64le,riscv64,s390x} windows/amd64)
		_peelfs_reply "${all[@]/#/$done$name=}"
		;;
	*=[a-z]*\|*)
		IFS='|' read -r -a all <<< "${value#*=}"
		_peelfs_reply "${all[@]/#/$done$name=}"
		;;
	esac
}

_peelfs_source() {
	local tag tags word=$1 layout
	case $word in
	oci:*:*)
		layout=${word#oci:}
		layout=${layout%:*}
		mapfile -t tags < <(grep -o '"org.opencontainers.image.ref.name" *: *"[^"]*"' \
			"$layout/index.json" 2> /dev/null | sed 's/.*"\([^"]*\)"$/\1/')
		_peelfs_reply "${tags[@]/#/oci:$layout:}"
		;;
	oci:* | dir:*) _peelfs_paths -d ;;
	oci-archive:* | docker-archive:*) _peelfs_paths -f ;;
	*) _peelfs_reply oci: oci-archive: docker-archive: dir: docker:// docker.io/ ghcr.io/ \
		quay.io/ localhost:5000/ ;;
	esac
}

# _peelfs_operands FROM: print the number of operands before the word, from the FROMth word on.
_peelfs_operands() {
	local line=${COMP_LINE:0:COMP_POINT} i count=0
	local -a words
	read -r -a words <<< "${line%"$(_peelfs_word)"}"
	for ((i = $1; i < ${#words[@]}; i++)); do
		case ${words[i]} in
		--layer | --rw | --net | -[!-]*o | -[oevwu]) i=$((i + 1)) ;;
		-*) ;;
		*) count=$((count + 1)) ;;
		esac
	done
	printf '%d' $count
}

# Whether the word is the argument of an -o before it.
_peelfs_is_option() {
	local line=${COMP_LINE:0:COMP_POINT} before
	local -a words
	before=${line%"$(_peelfs_word)"}
	read -r -a words <<< "$before"
	((${#words[@]} > 1)) && [[ ${words[-1]} == -*o ]]
}

_peelfs() {
	local word
	word=$(_peelfs_word)
	if _peelfs_is_option; then
		_peelfs_options "$word" "$1"
	elif [[ $word == -* ]]; then
		_peelfs_reply -f -d -v -o -h -V
	elif [[ $(_peelfs_operands 1) == 0 ]]; then
		_peelfs_source "$word"
	else
		_peelfs_paths -d
	fi
}

# _peelctl_paths PROGRAM: paths in the image of the line, if the store has what it takes. The
# image chose the names, so they are quoted.
_peelctl_paths() {
	local line=${COMP_LINE:0:COMP_POINT} word dir source= list=offline i
	local -a words layer names
	word=$(_peelfs_word)
	dir=${word%"${word##*/}"}
	read -r -a words <<< "${line%"$word"}"
	for ((i = 2; i < ${#words[@]}; i++)); do
		case ${words[i]} in
		--layer) layer=("--layer=${words[++i]-}") ;;
		--*) layer=("${words[i]}") ;;
		-o | -[!-]*o) list+=,${words[++i]-} ;;
		-o*) list+=,${words[i]#-o} ;;
		-*) ;;
		*) source=${source:-${words[i]}} ;;
		esac
	done
	mapfile -t names < <(timeout 5 "$1" ls -p -o "$list" "${layer[@]}" -- "$source" "${dir:-/}" \
		2> /dev/null)
	for i in "${!names[@]}"; do
		printf -v "names[i]" %q "${names[i]}"
	done
	_peelfs_reply "${names[@]/#/$dir}"
}

# Mount points of peelfs; mountinfo has blanks and the like in octal (proc(5)).
_peelfs_mounts() {
	local line
	local -a field points
	while read -r line; do
		[[ $line == *' - fuse.peelfs '* ]] || continue
		read -r -a field <<< "$line"
		printf -v line %b "${field[4]//\\/\\0}"
		points+=("$line")
	done < /proc/self/mountinfo
	_peelfs_reply "$@" "${points[@]}"
	compopt -o filenames 2> /dev/null
}

_peelctl() {
	local word line=${COMP_LINE:0:COMP_POINT}
	local -a words
	word=$(_peelfs_word)
	read -r -a words <<< "${line%"$word"}"
	if ((${#words[@]} == 1)); then
		_peelfs_reply status wait which ls cat tar diff inspect history dockerfile run index cache add remove setup -h -V
		return
	fi
	case ${words[1]} in
	status) _peelfs_mounts --json --follow ;;
	wait) _peelfs_mounts -t ;;
	which) _peelfs_paths -f ;;
	setup)
		if _peelfs_is_option; then
			_peelfs_options "$word" "${1%peelctl}peelfs"
		elif [[ $word == -* ]]; then
			_peelfs_reply --user --write -o
		elif ((${#words[@]} == 2)); then
			_peelfs_reply podman containerd
		fi
		;;
	add | remove) ((${#words[@]} > 2)) || _peelfs_mounts ;;
	run)
		if _peelfs_is_option; then
			_peelfs_options "$word" "${1%peelctl}peelfs"
		elif [[ ${words[-1]} == --rw || ${words[-1]} == -v ]]; then
			_peelfs_paths -d
		elif [[ ${words[-1]} == --net ]]; then
			_peelfs_reply host none
		elif [[ $word == -* ]]; then
			_peelfs_reply -i -t -e -v -w -u -o --rw --net
		elif [[ $(_peelfs_operands 2) == 0 ]]; then
			_peelfs_source "$word"
		fi
		;;
	ls | cat | tar | diff | inspect | history | dockerfile | index)
		if _peelfs_is_option; then
			_peelfs_options "$word" "${1%peelctl}peelfs"
		elif [[ $word == -* ]]; then
			case ${words[1]} in
			ls) _peelfs_reply -l -R -d -p --layer= -o ;;
			cat | tar) _peelfs_reply --layer= -o ;;
			diff) _peelfs_reply --json -o ;;
			index)
				if [[ ${words[2]-} == push ]]; then
					_peelfs_reply --platform= --dry-run --trace -o
				else
					_peelfs_reply -o
				fi
				;;
			*) _peelfs_reply -o ;;
			esac
		elif [[ $(_peelfs_operands 2) == 0 || ${words[1]} == diff || ${words[2]} == push ]]; then
			_peelfs_source "$word"
			[[ ${words[1]} != index || ${#words[@]} != 2 || push != "$word"* ]] || COMPREPLY+=(push)
		elif [[ ${words[1]} == ls || ${words[1]} == cat || ${words[1]} == tar ]]; then
			_peelctl_paths "$1"
		fi
		;;
	cache)
		if ((${#words[@]} == 2)); then
			_peelfs_reply list verify prune warm export
		elif [[ ${words[2]} == warm || ${words[2]} == export ]]; then
			if _peelfs_is_option; then
				_peelfs_options "$word" "${1%peelctl}peelfs"
			elif [[ $word == -* ]]; then
				_peelfs_reply --index-only -o
			elif [[ ${words[2]} == export && $(_peelfs_operands 3) == 0 ]]; then
				_peelfs_paths -d
			else
				_peelfs_source "$word"
			fi
		elif [[ $word == --dir=* ]]; then
			_peelfs_paths -d
		elif [[ $word == -* ]]; then
			_peelfs_reply --dir=
		fi
		;;
	esac
}

complete -F _peelfs peelfs
complete -F _peelctl peelctl

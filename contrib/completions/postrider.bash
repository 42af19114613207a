# Completion of postrider's commands, options, and names, for bash.

_postrider_accounts() {
	local file=${POSTRIDER_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/postrider/config.lua}
	sed -n 's/^ *account *(\{0,1\} *"\([^"]*\)".*/\1/p' "$file" 2>/dev/null
}

_postrider_classes() {
	postrider plugins 2>/dev/null | awk '/^  / { print $1 }'
}

_postrider_put_aside() {
	postrider status 2>/dev/null | sed -n 's,^  \([^ ]*/[^ ]*/[0-9]*\)$,\1,p'
}

_postrider_held() {
	postrider status --json 2>/dev/null |
		grep -o '"account":"[^"]*","folder":"[^"]*","messages":[0-9]*,"whole_folder"' |
		sed 's,^"account":"\([^"]*\)"\,"folder":"\([^"]*\)".*,\1/\2,' | sort -u
}

_postrider() {
	local word=$2 before=$3 command='' at words=''
	for ((at = 1; at < COMP_CWORD; at++)); do
		case ${COMP_WORDS[at]} in
		daemon | status | poll | pause | resume | reload | log | retry | drop | \
			confirm | refuse | undo | fetch | deliver | check | why | explain | test | replay | plugins) command=${COMP_WORDS[at]} ;;
		esac
	done
	if [[ $before == -c || $before == --config ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	if [[ $before == --log-format ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'auto text json journal' -- "$word")
		return
	fi
	case $command:$word in
	:-*) words='--config --help --version' ;;
	:*) words='daemon status poll pause resume reload log retry drop confirm refuse undo fetch deliver check why explain test replay plugins' ;;
	fetch:-*) words='--dry-run --retry --sweep --json --verbose --config --help' ;;
	daemon:-*) words='--log-format --verbose --config --help' ;;
	status:-*) words='--follow --json --metrics --profile --config --help' ;;
	poll:-*) words='--retry --sweep --json --verbose --config --help' ;;
	log:-*) words='--follow --lines --json --verbose --config --help' ;;
	deliver:-*) words='--dry-run --json --verbose --config --help' ;;
	fetch:* | deliver:* | poll:* | pause:* | resume:*) words=$(_postrider_accounts) ;;
	explain:-*) words='--account --folder --json --verbose --config --help' ;;
	replay:-*) words='--account --folder --since --rules --json --verbose --config --help' ;;
	test:-*) words='--json --verbose --config --help' ;;
	explain:* | test:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	undo:-*) words='--last --since --dry-run --json --verbose --config --help' ;;
	refuse:-*) words='--retry --verbose --config --help' ;;
	why:-*) words='--json --verbose --config --help' ;;
	check:-*) words='--offline --verbose --config --help' ;;
	*:-*) words='--verbose --config --help' ;;
	confirm:* | refuse:*) words=$(_postrider_held) ;;
	undo:*) words=$(_postrider_accounts) ;;
	retry:* | drop:*) words=$(_postrider_put_aside) ;;
	plugins:*) words=$(_postrider_classes) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _postrider postrider

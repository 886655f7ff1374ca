# Each verb is one line to a script; `make demo` and `make test`, each alone on a fresh machine, do all set-up.
.PHONY: setup build test test-full tidy bench demo up down clean

setup:
	@scripts/setup.sh build
build: setup
	@npm run --silent build
test:
	@scripts/test.sh
test-full:
	@scripts/test.sh --full
tidy: setup
	@npm run --silent tidy
bench:
	@scripts/setup.sh test && npm run --silent bench -- $(NAME)
demo:
	@scripts/setup.sh demo && node scripts/demo/main.mjs
up:
	@scripts/setup.sh run && bin/keelson up -d
down:
	@scripts/setup.sh run && bin/keelson down
clean:
	@scripts/clean.sh

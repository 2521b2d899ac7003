# Daily work. The build itself is meson's; script/demo and script/test set up everything on their own.
BUILD ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix $(PREFIX)

check: all
	@meson test -C $(BUILD) --print-errorlogs

test:
	@script/test

install: all
	@meson install -C $(BUILD)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf $(BUILD)

.PHONY: all check test install format clean

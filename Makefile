# SPDX-License-Identifier: Apache-2.0
# The front door. Meson does the work; this file only gives it short names.

BUILD = build
FUZZ_SECONDS = 10
, = ,
DESTDIR =
prefix = /usr
FLAGS = --prefix=$(prefix) --sysconfdir=/etc --localstatedir=/var
CLANG_FLAGS = $(FLAGS) -Db_lundef=false
# $(call setup,FOLDER,FLAGS): configures a build folder once, in silence
setup = test -f $(1)/build.ninja || { \
	out=$$(meson setup $(1) $(2) 2>&1) || { echo "$$out"; false; }; }
export FUZZ_SECONDS

.PHONY: help demo check bench lint fuzz vm model build asan tsan install \
	uninstall clean

help:
	@echo 'make demo       install what is missing, build, and watch a product'
	@echo '                block a file, die, hang and lie (root, 2 minutes)'
	@echo 'make check      install what is missing, build, run all tests'
	@echo 'make lint       the rules of STYLE.md, one line each'
	@echo 'make bench      measure; writes build/bench.json (root)'
	@echo 'make fuzz       each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make model      the protocol models, by spin'
	@echo 'make vm         boots in a virtual machine'
	@echo 'make install    with prefix=$(prefix) and DESTDIR'
	@echo 'make uninstall  removes what install put there'
	@echo 'make clean      removes the build folders'

demo:
	@tools/deps build
	@$(MAKE) --no-print-directory build
	tools/demo $(BUILD)

check:
	@tools/deps build check
	@tools/check $(BUILD)

bench:
	@tools/deps build bench
	@$(MAKE) --no-print-directory build
	tests/bench/run $(BUILD)

lint:
	@tools/deps build check
	@tools/lint $(BUILD)

fuzz:
	@tools/deps build check
	@export CC=clang; $(call setup,$(BUILD)-fuzz,$(CLANG_FLAGS) \
		-Dfuzz=true -Db_sanitize=address$(,)undefined)
	@tools/fuzz $(BUILD)-fuzz

model: build
	@tools/deps check
	meson test -C $(BUILD) --suite model --print-errorlogs

vm:
	@tools/deps build vm
	@$(MAKE) --no-print-directory build
	tests/vm/run $(BUILD)

# The three ways to build: as it ships (gcc), and by clang under sanitizers.
build:
	@$(call setup,$(BUILD),$(FLAGS))
	@ninja -C $(BUILD) --quiet

asan:
	@export CC=clang; $(call setup,$(BUILD)-asan,$(CLANG_FLAGS) \
		-Db_sanitize=address$(,)undefined)

tsan:
	@export CC=clang; $(call setup,$(BUILD)-tsan,$(CLANG_FLAGS) \
		-Db_sanitize=thread)

install: build
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

# From what install would put there, not from the log of the last install:
# that may have gone elsewhere.
uninstall:
	@$(call setup,$(BUILD),$(FLAGS))
	@tools/uninstall $(BUILD) '$(DESTDIR)'

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The front door: installs what is missing, configures where it must, and leaves the rest to CMake.

PRESET ?= release
TREE = build/$(PRESET)
NINJA = cmake --build $(TREE)

# The tests to run, and what adds up their result files afterwards.
SUITE ?= check-attn
TALLY ?= utils/summarize-tests.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo check check-all sanitize fuzz run-fuzz format tidy docs bench clean prerequisites

help: ## List these targets
	@echo "make TARGET, where TARGET is"
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' $(firstword $(MAKEFILE_LIST)) | while read -r name what; do \
	  printf '  %-10s %s\n' "$$name" "$$what"; done
	@echo "Trees are build/release and build/sanitize (PRESET=sanitize), binaries lie in their bin folder."

demo: build ## Watch a pattern file become a fused kernel that runs and is right
	@$(NINJA) --target demo

build: $(TREE)/build.ninja ## Build the compiler and its tools
	@$(NINJA)

# Everything is built before anything runs, so that -k 0 lets each runner finish and reports no compiler error twice.
check: $(TREE)/build.ninja ## Run all tests
	@rm -rf $(TREE)/results
	@$(NINJA) --target all AttnUnitTests
	@$(NINJA) --target $(SUITE) -- -k 0; code=$$?; $(TALLY) $(TREE)/results && exit $$code

check-all: export ATTN_CHECK_ALL = 1
check-all: check ## Run all tests, with the full product of their parameters

sanitize: ## Run the tests of test/sanitize-subset.txt under the sanitizers
	@$(MAKE) --no-print-directory check PRESET=sanitize SUITE=check-attn-subset

fuzz: ## Look for inputs that crash, ATTN_FUZZ_SECONDS (60) for each program
	@$(MAKE) --no-print-directory run-fuzz PRESET=sanitize

run-fuzz: $(TREE)/build.ninja
	@$(NINJA) --target fuzz

docs: $(TREE)/build.ninja ## Generate the references, and the patterns' pictures and pages
	@$(NINJA) --target docs

bench: build ## Measure against other libraries
	@$(NINJA) --target bench

sources = git ls-files --cached --others --exclude-standard

format: ## Format the C and C++ sources in place
	@utils/prerequisites.sh clang-format-22
	@$(sources) '*.c' '*.cpp' '*.h' | xargs -r clang-format-22 -i

tidy: build ## Check the C++ sources with clang-tidy
	@utils/prerequisites.sh clang-tidy-22
	@run-clang-tidy-22 -quiet -warnings-as-errors='*' -p $(TREE) '$(CURDIR)/(lib|tools)/.*\.cpp$$'

clean: ## Remove everything that was built or installed under build
	rm -rf build

prerequisites:
	@utils/prerequisites.sh

$(TREE)/build.ninja: CMakePresets.json | prerequisites
	@cmake --preset $(PRESET)
	@ln -sf $(PRESET)/compile_commands.json build/

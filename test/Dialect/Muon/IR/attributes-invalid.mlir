// RUN: muon-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// expected-error @below {{expected '<'}}
"test.scale_no_parameters"() {a = #muon.scale} : () -> ()

// -----

// expected-error @below {{expected valid keyword}}
"test.scale_not_a_keyword"() {a = #muon.scale<"none">} : () -> ()

// -----

// expected-error @below {{expected a scale rule (none, original, match_rms_adamw, spectral or constant), found 'muonic'}}
"test.scale_unknown_rule"() {a = #muon.scale<muonic>} : () -> ()

// -----

// expected-error @below {{expected floating point literal}}
"test.scale_constant_without_value"() {a = #muon.scale<constant>} : () -> ()

// -----

// expected-error @below {{unexpected decimal integer literal for a floating point value}}
// expected-note @below {{add a trailing dot to make the literal a float}}
"test.scale_constant_integer"() {a = #muon.scale<constant 1>} : () -> ()

// -----

// expected-error @below {{expected '>'}}
"test.scale_rule_with_value"() {a = #muon.scale<none 2.0>} : () -> ()

// -----

// expected-error @below {{expected '>'}}
"test.scale_two_values"() {a = #muon.scale<constant 2.0, 3.0>} : () -> ()

// -----

// expected-error-re @below {{expected a finite constant scale, found {{[iI][nN][fF]}}}}
"test.scale_infinite"() {a = #muon.scale<constant 0x7FF0000000000000>} : () -> ()

// -----

// expected-error-re @below {{expected a finite constant scale, found {{[nN][aA][nN]}}}}
"test.scale_nan"() {a = #muon.scale<constant 0x7FF8000000000000>} : () -> ()

// -----

// expected-error @below {{expected '<'}}
"test.schedule_no_parameters"() {a = #muon.schedule} : () -> ()

// -----

// expected-error @below {{expected '['}}
"test.schedule_empty"() {a = #muon.schedule<>} : () -> ()

// -----

// expected-error @below {{expected '['}}
"test.schedule_string"() {a = #muon.schedule<"keller_jordan">} : () -> ()

// -----

// expected-error @below {{unknown schedule 'kellerjordan', expected one of keller_jordan, you, polar_express, cans, cubic}}
"test.schedule_unknown_name"() {a = #muon.schedule<kellerjordan>} : () -> ()

// -----

// expected-error @below {{expected three coefficients [a, b, c], found 0}}
"test.schedule_no_coefficients"() {a = #muon.schedule<[]>} : () -> ()

// -----

// expected-error @below {{expected three coefficients [a, b, c], found 2}}
"test.schedule_two_coefficients"() {a = #muon.schedule<[1.0, 2.0]>} : () -> ()

// -----

// expected-error @below {{expected three coefficients [a, b, c], found 4}}
"test.schedule_four_coefficients"() {a = #muon.schedule<[1.0, 2.0, 3.0, 4.0]>} : () -> ()

// -----

// expected-error @below {{expected three coefficients [a, b, c], found 1}}
"test.schedule_second_step_too_short"() {a = #muon.schedule<[1.0, 2.0, 3.0], [1.0]>} : () -> ()

// -----

// expected-error @below {{expected '['}}
"test.schedule_trailing_comma"() {a = #muon.schedule<[1.0, 2.0, 3.0], >} : () -> ()

// -----

// expected-error @below {{expected floating point literal}}
"test.schedule_coefficient_not_a_number"() {a = #muon.schedule<[1.0, 2.0, c]>} : () -> ()

// -----

// expected-error @below {{expected '>'}}
"test.schedule_name_and_list"() {a = #muon.schedule<keller_jordan [1.0, 2.0, 3.0]>} : () -> ()

// -----

// expected-error @below {{expected '>'}}
"test.schedule_list_and_name"() {a = #muon.schedule<[1.0, 2.0, 3.0] keller_jordan>} : () -> ()

// -----

// expected-error-re @below {{expected finite coefficients, found -{{[iI][nN][fF]}}}}
"test.schedule_infinite"() {a = #muon.schedule<[1.0, 2.0, 0xFFF0000000000000]>} : () -> ()

// -----

// expected-error-re @below {{expected finite coefficients, found {{[nN][aA][nN]}}}}
"test.schedule_nan"() {a = #muon.schedule<[0x7FF8000000000000, 2.0, 3.0]>} : () -> ()

// -----

// expected-error @below {{expected '<'}}
"test.rows_no_parameters"() {a = #muon.rows} : () -> ()

// -----

// expected-error @below {{expected attribute value}}
// expected-error @below {{failed to parse Muon_RowsAttr parameter 'tensor'}}
"test.rows_name_not_a_string"() {a = #muon.rows<w, 0 to 1 of 2>} : () -> ()

// -----

// expected-error @below {{expected 'to'}}
"test.rows_no_to"() {a = #muon.rows<"w", 0, 1 of 2>} : () -> ()

// -----

// expected-error @below {{expected 'of'}}
"test.rows_no_of"() {a = #muon.rows<"w", 0 to 1>} : () -> ()

// -----

// expected-error @below {{expected 0 <= begin < end <= rows, found begin -1, end 48, rows 144}}
"test.rows_negative_begin"() {a = #muon.rows<"w", -1 to 48 of 144>} : () -> ()

// -----

// expected-error @below {{expected 0 <= begin < end <= rows, found begin 48, end 48, rows 144}}
"test.rows_empty"() {a = #muon.rows<"w", 48 to 48 of 144>} : () -> ()

// -----

// expected-error @below {{expected 0 <= begin < end <= rows, found begin 48, end 47, rows 144}}
"test.rows_reversed"() {a = #muon.rows<"w", 48 to 47 of 144>} : () -> ()

// -----

// expected-error @below {{expected 0 <= begin < end <= rows, found begin 96, end 145, rows 144}}
"test.rows_beyond_the_end"() {a = #muon.rows<"w", 96 to 145 of 144>} : () -> ()

// -----

// expected-error @below {{integer value too large}}
// expected-error @below {{failed to parse Muon_RowsAttr parameter 'end'}}
"test.rows_beyond_64_bits"() {a = #muon.rows<"w", 0 to 99999999999999999999 of 144>} : () -> ()

// -----

// expected-error @below {{expected ::mlir::muon::MomentumForm to be one of: ema, heavy_ball}}
// expected-error @below {{failed to parse Muon_MomentumFormAttr parameter 'value'}}
"test.momentum_form_unknown"() {a = #muon.momentum_form<nesterov>} : () -> ()

// -----

// expected-error @below {{expected ::mlir::muon::Iteration to be one of: auto, direct, gram}}
// expected-error @below {{failed to parse Muon_IterationAttr parameter 'value'}}
"test.iteration_unknown"() {a = #muon.iteration<newton>} : () -> ()

// -----

// expected-error @below {{expected ::mlir::muon::Side to be one of: auto, left, right}}
// expected-error @below {{failed to parse Muon_SideAttr parameter 'value'}}
"test.side_unknown"() {a = #muon.side<middle>} : () -> ()

// -----

// expected-error @below {{expected ::mlir::muon::Compute to be one of: auto, f32, tf32, bf16, f16}}
// expected-error @below {{failed to parse Muon_ComputeAttr parameter 'value'}}
"test.compute_unknown"() {a = #muon.compute<f64>} : () -> ()

// -----

// expected-error @below {{expected ::mlir::muon::Role to be one of: weight, gradient, momentum, exp_avg, exp_avg_sq, master, step, lr, weight_decay, beta, clip_limit, ok, clip, gradient_sums, momentum_sums, update_sums, weight_sums}}
// expected-error @below {{failed to parse Muon_RoleAttr parameter 'value'}}
"test.role_unknown"() {a = #muon.role<bias>} : () -> ()

// -----

// expected-error @below {{expected '<'}}
"test.side_no_parameters"() {a = #muon.side} : () -> ()

// -----

// expected-error @below {{unknown attribute `colour` in dialect `muon`}}
"test.unknown_attribute"() {a = #muon.colour<red>} : () -> ()

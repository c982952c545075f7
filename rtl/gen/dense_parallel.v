// dense_parallel: 3 ap_fixed<6,3,AP_RND,AP_SAT> -> 4 ap_fixed<6,3,AP_RND,AP_SAT>
// Made by hwmodel from the graph 'dense_parallel' (style parallel, pipeline=2, share=True).
// spec 7179238217e8ccfd631ccf30ac929857d8e0d79380e5897bd1dd5c0356e0e8df
// Timing: latency 2 cycles, a new input every cycle, while nothing stalls.
// A word moves at a rising edge of clk where valid and ready are both 1; rst is synchronous.
//
// Layers:
//   fc               Dense      4 ap_fixed<6,3,AP_RND,AP_SAT>  reads input
//   relu             ReLU       4 ap_fixed<6,3,AP_RND,AP_SAT>  reads fc

`default_nettype none

module dense_parallel (
  input wire clk,  // rising edge
  input wire rst,  // synchronous, active high
  input wire in_valid,
  input wire [17:0] in_data,  // 3 ap_fixed<6,3,AP_RND,AP_SAT>, element 0 in the low bits
  input wire out_ready,
  output wire in_ready,
  output wire out_valid,
  output wire [23:0] out_data  // 4 ap_fixed<6,3,AP_RND,AP_SAT>, element 0 in the low bits
);

  reg fc_p1_r1;
  reg fc_p2_r1;
  reg fc_p3_r1;
  reg [5:0] fc_p4_r1;
  reg fc_p5_r1;
  reg fc_p6_r1;
  reg fc_p7_r1;
  reg fc_p8_r1;
  reg fc_p9_r1;
  reg fc_p10_r1;
  reg [4:0] fc_p11_r1;
  reg [3:0] fc_p12_r1;
  reg [4:0] fc_p13_r1;
  reg [5:0] fc_p14_r1;
  reg [4:0] fc_p15_r1;
  reg [3:0] fc_p16_r1;
  reg [5:0] fc_p17_r1;
  reg fc_p18_r1;
  reg [4:0] relu_0_r2;
  reg [4:0] relu_1_r2;
  reg [4:0] relu_2_r2;
  reg [4:0] relu_3_r2;
  reg valid_1;
  reg valid_2;

  // handshake
  wire advance_2 = (~valid_2 | out_ready);
  wire advance_1 = (~valid_1 | advance_2);

  // x: elements of the input, 3 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [5:0] x_2 = in_data[17:12];
  wire [5:0] x_1 = in_data[11:6];
  wire [5:0] x_0 = in_data[5:0];

  // fc: Dense -> 4 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [4:0] fc_n1 = {x_2[5], x_2[4], x_1[3], x_1[2], x_0[5]};
  localparam [31:0] fc_n2_2 = 32'h7017f1f;
  localparam [31:0] fc_n2_1 = 32'h781e87e1;
  localparam [31:0] fc_n2_0 = 32'h99669966;
  wire [2:0] fc_n2 = {fc_n2_2[fc_n1], fc_n2_1[fc_n1], fc_n2_0[fc_n1]};
  localparam [1:0] fc_n3_0 = 2'h2;
  wire fc_n3 = fc_n3_0[x_2[3]];
  wire [4:0] fc_n4 = {x_2[1], x_2[0], x_0[2], x_0[1], x_0[0]};
  localparam [31:0] fc_n5_3 = 32'hfcf0c000;
  localparam [31:0] fc_n5_2 = 32'hc30f3cf0;
  localparam [31:0] fc_n5_1 = 32'h33cc33cc;
  localparam [31:0] fc_n5_0 = 32'haaaaaaaa;
  wire [3:0] fc_n5 = {fc_n5_3[fc_n4], fc_n5_2[fc_n4], fc_n5_1[fc_n4], fc_n5_0[fc_n4]};
  wire [9:0] fc_n6 = 10'd719 - {2'd3, (~{fc_n2, fc_n3, fc_n5})};
  localparam [1:0] fc_n7_0 = 2'h2;
  wire fc_n7 = fc_n7_0[x_1[5]];
  localparam [1:0] fc_n8_0 = 2'h1;
  wire fc_n8 = fc_n8_0[x_1[4]];
  wire [4:0] fc_n9 = {x_2[2], x_1[1], x_1[0], x_0[4], x_0[3]};
  localparam [31:0] fc_n10_2 = 32'h8cef08ce;
  localparam [31:0] fc_n10_1 = 32'h639cc639;
  localparam [31:0] fc_n10_0 = 32'h5a5aa5a5;
  wire [2:0] fc_n10 = {fc_n10_2[fc_n9], fc_n10_1[fc_n9], fc_n10_0[fc_n9]};
  wire [6:0] fc_n11 = fc_n6[9:3] - {1'd1, (~{fc_n7, fc_n8, 1'd0, fc_n10})};
  wire [9:0] fc_sum_3 = {fc_n11, fc_n6[2:0]};
  wire [6:0] fc_n12 = fc_sum_3[9:3] + {6'd0, fc_sum_3[2]};
  wire [7:0] fc_n13 = {fc_n12[6], fc_n12};
  wire [1:0] fc_n14 = fc_n13[6:5];
  wire [6:0] fc_n15 = {x_2[5], x_2} - {x_0[5], x_0};
  wire [2:0] fc_n16 = {fc_n15[4], x_2[2], x_0[1]};
  localparam [7:0] fc_n17_1 = 8'he8;
  localparam [7:0] fc_n17_0 = 8'h96;
  wire [1:0] fc_n17 = {fc_n17_1[fc_n16], fc_n17_0[fc_n16]};
  wire [4:0] fc_n18 = {fc_n15[2], fc_n15[1], fc_n15[0], x_2[0], x_1[0]};
  localparam [31:0] fc_n19_3 = 32'hddcc4400;
  localparam [31:0] fc_n19_2 = 32'h663399cc;
  localparam [31:0] fc_n19_1 = 32'haa55aa55;
  localparam [31:0] fc_n19_0 = 32'hf0f0f0f0;
  wire [3:0] fc_n19 = {fc_n19_3[fc_n18], fc_n19_2[fc_n18], fc_n19_1[fc_n18], fc_n19_0[fc_n18]};
  wire [10:0] fc_n20 = 11'd1501 - {5'd31, (~{fc_n17, fc_n19})};
  wire [4:0] fc_n21 = {fc_n15[6], x_2[5], x_2[4], x_1[5], x_0[4]};
  localparam [31:0] fc_n22_2 = 32'h80eaa8fe;
  localparam [31:0] fc_n22_1 = 32'h6a9556a9;
  localparam [31:0] fc_n22_0 = 32'h3c3cc3c3;
  wire [2:0] fc_n22 = {fc_n22_2[fc_n21], fc_n22_1[fc_n21], fc_n22_0[fc_n21]};
  wire [4:0] fc_n23 = {fc_n15[3], x_2[1], x_1[3], x_1[2], x_0[0]};
  localparam [31:0] fc_n24_2 = 32'h2f0b0b02;
  localparam [31:0] fc_n24_1 = 32'hd2b4b42d;
  localparam [31:0] fc_n24_0 = 32'h99666699;
  wire [2:0] fc_n24 = {fc_n24_2[fc_n23], fc_n24_1[fc_n23], fc_n24_0[fc_n23]};
  localparam [1:0] fc_n25_0 = 2'h1;
  wire fc_n25 = fc_n25_0[x_1[1]];
  wire [8:0] fc_n26 = fc_n20[10:2] - {2'd3, (~{fc_n22, fc_n24, fc_n25})};
  wire [10:0] fc_n27 = {fc_n26, fc_n20[1:0]};
  localparam [1:0] fc_n28_0 = 2'h1;
  wire fc_n28 = fc_n28_0[x_0[5]];
  wire [4:0] fc_n29 = {fc_n15[5], x_2[3], x_1[4], x_0[3], x_0[2]};
  localparam [31:0] fc_n30_2 = 32'hce8c8c08;
  localparam [31:0] fc_n30_1 = 32'h396363c6;
  localparam [31:0] fc_n30_0 = 32'ha55a5aa5;
  wire [2:0] fc_n30 = {fc_n30_2[fc_n29], fc_n30_1[fc_n29], fc_n30_0[fc_n29]};
  wire [4:0] fc_n31 = {fc_n15[0], x_1[1], x_1[0], x_0[2], x_0[1]};
  localparam [31:0] fc_n32_3 = 32'hff10f300;
  localparam [31:0] fc_n32_2 = 32'h70e31c70;
  localparam [31:0] fc_n32_1 = 32'h936c6c93;
  localparam [31:0] fc_n32_0 = 32'ha5a5a5a5;
  wire [3:0] fc_n32 = {fc_n32_3[fc_n31], fc_n32_2[fc_n31], fc_n32_1[fc_n31], fc_n32_0[fc_n31]};
  localparam [1:0] fc_n33_0 = 2'h1;
  wire fc_n33 = fc_n33_0[x_0[0]];
  wire [10:0] fc_n34 = 11'd1528 - {6'd63, (~{fc_n32, fc_n33})};
  localparam [1:0] fc_n35_0 = 2'h1;
  wire fc_n35 = fc_n35_0[fc_n15[6]];
  localparam [1:0] fc_n36_0 = 2'h2;
  wire fc_n36 = fc_n36_0[fc_n15[5]];
  wire [4:0] fc_n37 = {fc_n15[1], x_1[3], x_1[2], x_0[4], x_0[3]};
  localparam [31:0] fc_n38_3 = 32'hf700f300;
  localparam [31:0] fc_n38_2 = 32'h38f11c70;
  localparam [31:0] fc_n38_1 = 32'hc9366c93;
  localparam [31:0] fc_n38_0 = 32'h5a5aa5a5;
  wire [3:0] fc_n38 = {fc_n38_3[fc_n37], fc_n38_2[fc_n37], fc_n38_1[fc_n37], fc_n38_0[fc_n37]};
  wire [6:0] fc_n39 = fc_n34[9:3] - {1'd1, (~{fc_n35, fc_n36, fc_n38})};
  wire [9:0] fc_n40 = {fc_n39, fc_n34[2:0]};
  wire [4:0] fc_n41 = {fc_n15[4], fc_n15[3], x_1[5], x_1[4], x_0[5]};
  localparam [31:0] fc_n42_3 = 32'hf0f0e0c;
  localparam [31:0] fc_n42_2 = 32'hecc8c183;
  localparam [31:0] fc_n42_1 = 32'hd2b42d4b;
  localparam [31:0] fc_n42_0 = 32'h99669966;
  wire [3:0] fc_n42 = {fc_n42_3[fc_n41], fc_n42_2[fc_n41], fc_n42_1[fc_n41], fc_n42_0[fc_n41]};
  localparam [1:0] fc_n43_0 = 2'h2;
  wire fc_n43 = fc_n43_0[fc_n15[2]];
  wire [2:0] fc_n44 = {fc_n15[2], fc_n15[1], fc_n15[0]};
  localparam [7:0] fc_n45_2 = 8'h71;
  localparam [7:0] fc_n45_1 = 8'h96;
  localparam [7:0] fc_n45_0 = 8'h33;
  wire [2:0] fc_n45 = {fc_n45_2[fc_n44], fc_n45_1[fc_n44], fc_n45_0[fc_n44]};
  localparam [1:0] fc_n46_0 = 2'h2;
  wire fc_n46 = fc_n46_0[fc_n15[0]];
  wire [8:0] fc_n47 = 9'd325 - {5'd31, (~{fc_n45, fc_n46})};
  wire [4:0] fc_n48 = {fc_n15[6], fc_n15[5], fc_n15[4], fc_n15[3], fc_n15[2]};
  localparam [31:0] fc_n49_4 = 32'h7ff0000;
  localparam [31:0] fc_n49_3 = 32'hf800001f;
  localparam [31:0] fc_n49_2 = 32'hf81f07e0;
  localparam [31:0] fc_n49_1 = 32'h18e718e7;
  localparam [31:0] fc_n49_0 = 32'h69696969;
  wire [4:0] fc_n49 = {fc_n49_4[fc_n48], fc_n49_3[fc_n48], fc_n49_2[fc_n48], fc_n49_1[fc_n48], fc_n49_0[fc_n48]};
  localparam [1:0] fc_n50_0 = 2'h1;
  wire fc_n50 = fc_n50_0[fc_n15[3]];
  wire [5:0] fc_n51 = fc_n47[8:3] - (~{fc_n49, fc_n50});
  wire [8:0] fc_sum_0 = {fc_n51, fc_n47[2:0]};
  wire [5:0] fc_0 = fc_p17_r1 + {5'd0, fc_p18_r1};
  wire [5:0] fc_n52 = fc_p14_r1 - {1'd1, fc_p15_r1};
  wire [9:0] fc_sum_1 = {fc_n52, fc_p16_r1};
  wire [6:0] fc_n53 = fc_sum_1[9:3] + {6'd0, fc_sum_1[2]};
  wire [7:0] fc_n54 = {fc_n53[6], fc_n53};
  wire [1:0] fc_n55 = fc_n54[6:5];
  wire [1:0] fc_n56 = {(fc_n55[1] ^ fc_n54[7]), (fc_n55[0] ^ fc_n54[7])};
  wire fc_n57 = fc_n56[0];
  wire fc_n58 = fc_n56[1];
  wire [5:0] fc_1 = (fc_n57 | fc_n58) ? {fc_n53[6], {5{~fc_n53[6]}}} : fc_n53[5:0];
  wire [4:0] fc_n59 = fc_p11_r1 - {1'd1, fc_p12_r1};
  wire [9:0] fc_sum_2 = {fc_n59, fc_p13_r1};
  wire [6:0] fc_n60 = fc_sum_2[9:3] + {6'd0, fc_sum_2[2]};
  wire [7:0] fc_n61 = {fc_n60[6], fc_n60};
  wire [1:0] fc_n62 = fc_n61[6:5];
  wire [1:0] fc_n63 = {(fc_n62[1] ^ fc_n61[7]), (fc_n62[0] ^ fc_n61[7])};
  wire fc_n64 = fc_n63[0];
  wire fc_n65 = fc_n63[1];
  wire [5:0] fc_2 = (fc_n64 | fc_n65) ? {fc_n60[6], {5{~fc_n60[6]}}} : fc_n60[5:0];
  wire [1:0] fc_n66 = {(fc_p1_r1 ^ fc_p2_r1), (fc_p3_r1 ^ fc_p2_r1)};
  wire fc_n67 = fc_n66[0];
  wire fc_n68 = fc_n66[1];
  wire [5:0] fc_3 = (fc_n67 | fc_n68) ? {fc_p5_r1, fc_p6_r1, fc_p7_r1, fc_p8_r1, fc_p9_r1, fc_p10_r1} : fc_p4_r1;

  // relu: ReLU -> 4 ap_fixed<6,3,AP_RND,AP_SAT>
  wire [4:0] relu_0 = fc_0[5] ? 5'd0 : fc_0[4:0];
  wire [4:0] relu_1 = fc_1[5] ? 5'd0 : fc_1[4:0];
  wire [4:0] relu_2 = fc_2[5] ? 5'd0 : fc_2[4:0];
  wire [4:0] relu_3 = fc_3[5] ? 5'd0 : fc_3[4:0];

  // outputs_packed
  wire [23:0] outputs_packed_n1 = {{1'd0, relu_3_r2}, {1'd0, relu_2_r2}, {1'd0, relu_1_r2}, {1'd0, relu_0_r2}};

  // outputs
  assign in_ready = advance_1;
  assign out_valid = valid_2;
  assign out_data = outputs_packed_n1;

  always @(posedge clk) begin
    if (advance_1) begin
      fc_p1_r1 <= fc_n14[1];
      fc_p2_r1 <= fc_n13[7];
      fc_p3_r1 <= fc_n14[0];
      fc_p4_r1 <= fc_n12[5:0];
      fc_p5_r1 <= fc_n12[6];
      fc_p6_r1 <= ~fc_n12[6];
      fc_p7_r1 <= ~fc_n12[6];
      fc_p8_r1 <= ~fc_n12[6];
      fc_p9_r1 <= ~fc_n12[6];
      fc_p10_r1 <= ~fc_n12[6];
      fc_p11_r1 <= fc_n27[9:5];
      fc_p12_r1 <= (~{fc_n28, fc_n30});
      fc_p13_r1 <= fc_n27[4:0];
      fc_p14_r1 <= fc_n40[9:4];
      fc_p15_r1 <= (~{fc_n42, fc_n43});
      fc_p16_r1 <= fc_n40[3:0];
      fc_p17_r1 <= fc_sum_0[8:3];
      fc_p18_r1 <= fc_sum_0[2];
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      valid_1 <= 1'd0;
    end else if (advance_1) begin
      valid_1 <= in_valid;
    end
  end

  always @(posedge clk) begin
    if (advance_2) begin
      relu_0_r2 <= relu_0;
      relu_1_r2 <= relu_1;
      relu_2_r2 <= relu_2;
      relu_3_r2 <= relu_3;
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      valid_2 <= 1'd0;
    end else if (advance_2) begin
      valid_2 <= valid_1;
    end
  end

endmodule

`default_nettype wire
